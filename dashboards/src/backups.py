"""Backups: is there one, is it whole, can it be restored, and how much would be lost now."""

from . import links, promql, shared
from .backups_detail import kept_section, made_section, table_section, whole_section
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, GREEN, RED, Thresholds, states
from .panels import Doc, one
from .sdk import models
from .spec import Spec

_BLIND = "no bucket is set, or it does not answer"


def _sections(limits: Thresholds) -> list[Section]:
    alerts = shared.alerts_table("Alerts about backups", f'component="backup",{promql.DATABASE}')
    return [
        Section("Could we go back?", [shelf(4, *_strip(limits)), shelf(6, alerts)]),
        table_section(limits),
        made_section(limits),
        whole_section(limits),
        kept_section(),
    ]


def _newest(metric: str, kind: str = "") -> str:
    matchers = promql.join(promql.DATABASE, f'type="{kind}"' if kind else "")
    return promql.each(f"supercheck_backup_{metric}", matchers, "database, type")


def _strip(limits: Thresholds) -> list[models.Panel]:
    return [
        one(
            "Newest full backup",
            Doc(
                "How long ago the newest full backup was begun; the database where that is longest.",
                "below 25 hours: one a day.",
                "read the job's log: it ends in one sentence about what is wrong.",
            ),
            f"max(time() - {_newest('last_success_timestamp_seconds', 'full')})",
            unit="s",
            levels=limits.above(critical="backup_full_seconds"),
            no_data=f"no full backup, or {_BLIND}",
            runbooks=["BackupMissing", "BackupNeverSucceeded"],
            loud=True,
        ),
        one(
            "Would be lost now",
            Doc(
                "How long ago the newest backup of either type was begun: what was written since would go with the "
                "server. The database where that is longest.",
                "below 7 hours: one every 6 hours.",
                "read the job's log; `due` makes up for what was missed.",
            ),
            f"max(time() - max by (database) ({_newest('last_success_timestamp_seconds')}))",
            unit="s",
            levels=limits.above(warning="backup_incremental_seconds", critical="backup_full_seconds"),
            no_data=f"no backup, or {_BLIND}",
            runbooks=["BackupMissing"],
        ),
        one(
            "Not verified",
            Doc(
                "Newest backups in a row that were not read back and found whole; the worst database and type.",
                "0; 1 while the newest is being read back.",
                "the job's log says why; a restore takes the newest one that is verified.",
            ),
            f"max({_newest('verification_failures')})",
            unit="short",
            decimals=0,
            levels=ANY_IS_CRITICAL,
            no_data=f"no tags, or {_BLIND}",
            runbooks=["BackupUnverified"],
        ),
        one(
            "Encrypted",
            Doc(
                "Whether the newest backup of every database and type is encrypted, by its first bytes.",
                "yes.",
                "somebody stored a readable one: the table names the database.",
            ),
            f"min({_newest('encrypted')})",
            unit="short",
            mappings=[states({"0": ("NO", RED), "1": ("yes", GREEN)})],
            no_data=f"the first bytes do not tell, or {_BLIND}",
            runbooks=["BackupNotEncrypted"],
        ),
        one(
            "Last restore test",
            Doc(
                "How long ago a backup was last restored for a test; the database where that is longest.",
                "below 32 days.",
                "start one by hand: `restore-test`.",
            ),
            f"max(time() - {promql.each(_TEST_AT, promql.DATABASE, 'database')})",
            unit="s",
            levels=limits.above(warning="backup_restore_test_seconds"),
            no_data=f"never tested, or {_BLIND}",
            runbooks=["BackupRestoreUntested"],
        ),
        one(
            "It could be restored",
            Doc(
                "Whether the last restore test of every database succeeded.",
                "yes.",
                "read its result below restore-tests/ in the bucket.",
            ),
            f"min({promql.each('supercheck_backup_last_restore_test_success', promql.DATABASE, 'database')})",
            unit="short",
            mappings=[states({"0": ("NO", RED), "1": ("yes", GREEN)})],
            no_data=f"never tested, or {_BLIND}",
            runbooks=["BackupRestoreFailed"],
        ),
    ]


_TEST_AT = "supercheck_backup_last_restore_test_timestamp_seconds"

SPEC = Spec(
    uid=links.BACKUPS,
    title="Supercheck / Backups",
    description="Is there a backup? Is it whole? Could it be restored? How much would be lost now?",
    sections=_sections,
    variables=("database",),
    alert_matchers='component="backup"',
)
