"""Backups, the details: each database, the times, the sizes, and what is kept."""

from . import promql
from .colors import IN, LIMIT, OUT, SLOW
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, ANY_IS_WARNING, GREEN, RED, Thresholds, states
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_BY = "database, type"
_LEGEND = "{{database}} {{type}}"
# the usual names; other databases take the palette's
_COLORS = {"supercheck": IN, "supercheck full": IN, "supercheck incremental": OUT}


def _each(metric: str, kind: str = "") -> str:
    matchers = promql.join(promql.DATABASE, f'type="{kind}"' if kind else "")
    return promql.each(f"supercheck_backup_{metric}", matchers, _BY)


def _age(metric: str, kind: str = "") -> str:
    return f"time() - {_each(f'{metric}_timestamp_seconds', kind)}"


def table_section(limits: Thresholds) -> Section:
    """Return the table of databases."""
    return Section("Which database?", [shelf(7, _table(limits))])


def made_section(limits: Thresholds) -> Section:
    """Return the section about when backups are made."""
    return Section("Are they made in time?", [shelf(8, _full(limits), _incremental(limits))])


def whole_section(limits: Thresholds) -> Section:
    """Return the section about what is in them."""
    return Section(
        "Are they whole?",
        [shelf(8, _size(), _increment_size(), _shrunk(limits)), shelf(7, _failures(), _verified(), _tested(limits))],
    )


def kept_section() -> Section:
    """Return the section about what is kept."""
    return Section("Are they kept as long as they should?", [shelf(7, _retained(), _oldest(), _past())])


def _table(limits: Thresholds) -> models.Panel:
    return rows(
        "Each database",
        Doc(
            "Every database that must have backups or has some, by type.",
            "a full one of today, an incremental one of the last 6 hours, both verified and encrypted.",
            "the column that is red or orange names the alert: its runbook says what to do.",
        ),
        [Label("database", "Database"), Label("type", "Type", width=110)],
        [
            Value("Kept", _each("retained"), "short", decimals=0, width=80),
            Value(
                "Newest",
                f"1000 * {_each('last_success_timestamp_seconds')}",
                "dateTimeFromNow",
                width=140,
                absent="never",
            ),
            Value(
                "Not verified",
                _each("verification_failures"),
                "short",
                levels=ANY_IS_CRITICAL,
                decimals=0,
                absent="unknown",
                width=110,
            ),
            Value(
                "Encrypted",
                _each("encrypted"),
                "short",
                mappings=[states({"0": ("NO", RED), "1": ("yes", GREEN)})],
                width=100,
            ),
            Value("Size", _each("last_size_bytes"), "bytes"),
            Value(
                "Of the usual",
                f"{_each('last_size_bytes', 'full')} / {_each('median_size_bytes', 'full')}",
                "percentunit",
                decimals=0,
                levels=limits.below(warning="backup_shrunk_ratio"),
                absent=" ",
            ),
            Value("Oldest", f"1000 * {_each('oldest_timestamp_seconds')}", "dateTimeFromNow", width=140, absent=" "),
            Value("Past retention", _each("past_retention"), "short", levels=ANY_IS_WARNING, decimals=0, width=120),
        ],
        no_data="no bucket is set, or it does not answer",
        sort_by="Database",
        descending=False,
        runbooks=["BackupMissing", "BackupNeverSucceeded"],
    )


def _full(limits: Thresholds) -> models.Panel:
    return lines(
        "Age of the newest full backup",
        Doc(
            "A saw: it falls when a backup is stored. Dashed: the threshold of BackupMissing.",
            "a tooth a day, at 1:00 UTC.",
            "a tooth that goes on rising: the job fails or stands. Its log says why.",
        ),
        [Line(_age("last_success", "full"), "{{database}}")],
        unit="s",
        colors=_COLORS,
        no_data="no full backup",
        levels=limits.above(critical="backup_full_seconds"),
        runbooks=["BackupMissing"],
    )


def _incremental(limits: Thresholds) -> models.Panel:
    return lines(
        "Age of the newest incremental backup",
        Doc(
            "The same of the incremental ones: what would be lost with the server. Dashed: BackupMissing's threshold.",
            "four teeth a day.",
            "see the job's log; the server keeps its log meanwhile, up to max_slot_wal_keep_size.",
        ),
        [Line(_age("last_success", "incremental"), "{{database}}")],
        unit="s",
        colors=_COLORS,
        no_data="no incremental backup",
        levels=limits.above(warning="backup_incremental_seconds"),
        runbooks=["BackupMissing"],
    )


def _size() -> models.Panel:
    return lines(
        "Size of the newest full backup",
        Doc(
            "As it is stored, packed and encrypted. Grey: the median of the week before.",
            "grows slowly with the database.",
            "a sudden fall: rows were deleted, or another server was backed up.",
        ),
        [
            Line(_each("last_size_bytes", "full"), "{{database}}"),
            Line(_each("median_size_bytes", "full"), "{{database}}, usual", LIMIT, dashed=True),
        ],
        unit="bytes",
        colors=_COLORS,
        no_data="no full backup",
        runbooks=["BackupShrunk"],
    )


def _increment_size() -> models.Panel:
    return lines(
        "Size of the newest incremental backup",
        Doc(
            "What the server wrote into its log since the one before, packed.",
            "follows the site's work: little at night.",
            "far more than usual: something rewrites much. Near max_slot_wal_keep_size: raise that bound.",
        ),
        [Line(_each("last_size_bytes", "incremental"), "{{database}}")],
        unit="bytes",
        colors=_COLORS,
        no_data="no incremental backup",
    )


def _shrunk(limits: Thresholds) -> models.Panel:
    return lines(
        "Size over the usual one",
        Doc(
            "The newest full backup over the median of its week. Dashed: the threshold of BackupShrunk.",
            "around 100 %.",
            "below the dashed line: find out whether the rows were meant to go.",
        ),
        [Line(f"{_each('last_size_bytes', 'full')} / {_each('median_size_bytes', 'full')}", "{{database}}")],
        unit="percentunit",
        colors=_COLORS,
        no_data="fewer than four full backups",
        soft_max=1.2,
        levels=limits.below(warning="backup_shrunk_ratio"),
        runbooks=["BackupShrunk"],
    )


def _failures() -> models.Panel:
    return lines(
        "Newest backups that are not verified",
        Doc(
            "In a row, from the newest on: those whose tag does not say that they were read back and found whole.",
            "0, with short steps to 1 while the newest is being read back.",
            "a step that stays: the job's log says whether the disk was full or the object was damaged.",
        ),
        [Line(_each("verification_failures"), _LEGEND)],
        unit="short",
        colors=_COLORS,
        decimals=0,
        no_data="the store has no tags, or there is no backup",
        runbooks=["BackupUnverified"],
    )


def _verified() -> models.Panel:
    return lines(
        "Age of the newest verified backup",
        Doc(
            "What a restore would begin with.",
            "as the two graphs above.",
            "higher than those: the newest ones are not verified.",
        ),
        [Line(_age("last_verified"), _LEGEND)],
        unit="s",
        colors=_COLORS,
        no_data="none is verified",
        runbooks=["BackupUnverified"],
    )


def _tested(limits: Thresholds) -> models.Panel:
    at = promql.each("supercheck_backup_last_restore_test_timestamp_seconds", promql.DATABASE, "database")
    return lines(
        "Age of the last restore test",
        Doc(
            "Whatever came of it. Dashed: the threshold of BackupRestoreUntested.",
            "a tooth a month.",
            "start one by hand: `restore-test`.",
        ),
        [Line(f"time() - {at}", "{{database}}", SLOW)],
        unit="s",
        colors=_COLORS,
        no_data="never tested",
        levels=limits.above(warning="backup_restore_test_seconds"),
        runbooks=["BackupRestoreUntested", "BackupRestoreFailed"],
    )


def _retained() -> models.Panel:
    return lines(
        "Backups that are there",
        Doc(
            "By database and type.",
            "about as many as the retention has days, and four times that.",
            "a fall to 0: somebody emptied the bucket. Look into the store's access log first.",
        ),
        [Line(_each("retained"), _LEGEND)],
        unit="short",
        colors=_COLORS,
        decimals=0,
        runbooks=["BackupMissing", "BackupNeverSucceeded"],
    )


def _oldest() -> models.Panel:
    return lines(
        "Age of the oldest backup",
        Doc(
            "How far back the site can go.",
            "rises to the retention (90 days, 30 for development) and stays there.",
            "beyond it: nothing is deleted any more.",
        ),
        [Line(_age("oldest"), _LEGEND)],
        unit="s",
        colors=_COLORS,
        no_data="no backup",
        runbooks=["BackupPastRetention"],
    )


def _past() -> models.Panel:
    return lines(
        "Past retention and still there",
        Doc(
            "A day or more past BACKUP_RETENTION_DAYS; what the newest whole full backup needs does not count.",
            "0.",
            "the job's login may lack the right to delete, or the store locks its objects.",
        ),
        [Line(_each("past_retention"), _LEGEND, "")],
        unit="short",
        colors=_COLORS,
        decimals=0,
        levels=ANY_IS_WARNING,
        runbooks=["BackupPastRetention"],
    )
