"""How BullMQ's keys and event streams are read: what the queue and worker collectors share."""
