"""Who calls: people, their telephone numbers, and the equipment they use."""
