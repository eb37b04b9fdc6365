"""The service level objectives: one YAML, and the rules that are made of it."""
