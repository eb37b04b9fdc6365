"""Backups of Supercheck's PostgreSQL by its own tools: taken, verified, kept, tested and restored.

PostgreSQL's pg_basebackup and pg_receivewal make them, zstd (or gzip) packs them, gpg encrypts them; what is here
calls those in the right order, and says in one sentence what went wrong.
"""
