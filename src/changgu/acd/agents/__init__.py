"""What supervisors do with agents: putting them into a state, and moving them between queues."""
