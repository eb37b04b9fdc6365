"""The part of ``check`` that looks for backups."""

from __future__ import annotations

from supercheck_exporter.core import SourceError
from supercheck_exporter.settings import Settings
from supercheck_exporter.site import Site

NO_TAGS = "Its object store has no tags: whether a backup was verified is not known there."
NONE = "No {} backup of {} is there."


def check_backups(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """Look once into the bucket and pgBackRest's file, where they are set."""
    if not settings.s3_backup_bucket_name and not settings.backup_pgbackrest_info_file:
        return
    reader = Site(settings).backups
    try:
        found = reader.look().backups
    except SourceError as error:
        problems.append(f"{error}.")
        return
    finally:
        reader.stop()
    notes += [NONE.format(kind, database) for (database, kind), stored in found.items() if not stored]
    if settings.s3_backup_bucket_name and any(stored and stored[-1].verified is None for stored in found.values()):
        notes.append(NO_TAGS)
