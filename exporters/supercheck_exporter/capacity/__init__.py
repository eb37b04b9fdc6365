"""Organizations' capacity: who may run, who is parked before BullMQ, and for how long."""
