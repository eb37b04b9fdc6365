"""Connections to what is watched; no metric is made here."""
