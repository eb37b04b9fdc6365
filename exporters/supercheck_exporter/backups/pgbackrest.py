"""pgBackRest's own account of its repositories: what ``pgbackrest --output=json info`` prints.

    [{"name": "main", "status": {"code": 0}, "repo": [{"key": 1, "cipher": "aes-256-cbc"}],
      "backup": [{"type": "full", "timestamp": {"start": 1764000000, "stop": 1764000060}, "error": false,
                  "info": {"repository": {"delta": 3000000}}, "database": {"repo-key": 1}}]}]

The exporter has no pgBackRest and no right to its repository, so a file is read that somebody's cron writes.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from supercheck_exporter.backups.stored import FULL, INCREMENTAL, TYPES, Group, Stored
from supercheck_exporter.core import SourceError

SETTING = "BACKUP_PGBACKREST_INFO_FILE"
MAX_AGE_SECONDS = 3 * 3600.0
MAX_BYTES = 32 * 1024 * 1024
_TYPES = {"full": FULL, "diff": INCREMENTAL, "incr": INCREMENTAL}


def read(path: Path) -> Group:
    """The backups of every stanza. Raises SourceError where the file is missing, old, or something else."""
    mend = "let cron write it every 15 minutes: pgbackrest --output=json info > FILE.new && mv FILE.new FILE"
    try:
        age = time.time() - path.stat().st_mtime
        if age > MAX_AGE_SECONDS:
            raise SourceError(f"{SETTING} was last written {age / 3600:.0f} hours ago: {mend}")
        with path.open("rb") as file:
            text = file.read(MAX_BYTES)
    except OSError as error:
        raise SourceError(f"{SETTING} can't be read ({error.strerror}): {mend}") from None
    try:
        return parse(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceError(f"{SETTING} does not hold what pgBackRest prints: {mend}") from None


def parse(stanzas: list[dict[str, Any]]) -> Group:
    """What is in each stanza. Whether a backup was read back is not known; a damaged page makes it a failure."""
    if not isinstance(stanzas, list):
        raise TypeError("not a list of stanzas")
    found: dict[tuple[str, str], list[Stored]] = defaultdict(list)
    for stanza in stanzas:
        for kind in TYPES:
            found[stanza["name"], kind] = []
        encrypted = {repo["key"]: repo["cipher"] != "none" for repo in stanza.get("repo", ())}
        for backup in stanza.get("backup", ()):
            kind = _TYPES[backup["type"]]
            repository = backup["info"]["repository"]
            found[stanza["name"], kind].append(
                Stored(
                    at=float(backup["timestamp"]["start"]),
                    size=int(repository["delta"]),
                    verified=False if backup.get("error") else None,
                    encrypted=encrypted.get(backup["database"]["repo-key"]),
                )
            )
    return {key: tuple(sorted(backups, key=lambda backup: backup.at)) for key, backups in found.items()}
