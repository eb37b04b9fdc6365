"""Probes that run in the background: when the next one starts, and what is said of one that does not come back."""
