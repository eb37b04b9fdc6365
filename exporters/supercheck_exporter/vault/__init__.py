"""Vault: which state each node is in, and how old the secrets of a mount are."""
