"""What is kept of the buckets between scrapes, and the readers that fill it."""
