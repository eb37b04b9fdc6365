"""Real servers for the tests: Redis, Redis Cluster, BullMQ on Node, and the exporter itself.

Each one is a context manager that starts on free loopback ports and is stopped by its process id.
"""
