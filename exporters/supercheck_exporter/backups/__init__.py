"""What lies in the backup bucket and in pgBackRest's repository, read in the background; no metric.

The contract that any backup job can keep:

    <database>/<full|incremental>/<UTC time>...   one object, or several of the same time; tag verified=true|false
    restore-tests/<UTC time>.json                 {"database": ..., "success": true|false}
"""
