"""Circuit breakers: whether what Supercheck depends on is to be asked now, decided by probes of our own."""
