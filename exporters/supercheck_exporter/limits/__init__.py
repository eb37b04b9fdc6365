"""Supercheck's own rate limits, as Redis and the database know them."""
