"""Emergency plans as a resource: what there is, what is on, and the switch."""
