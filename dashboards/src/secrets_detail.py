"""Secrets, the details: each node of Vault, each mount, and what Supercheck itself stores."""

from . import promql
from .colors import IN, LIMIT, OUT, SLOW, TROUBLE
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, GREEN, PLAIN, RED, Thresholds, states
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

NO_VAULT = "no Vault is configured"
_NO_MOUNT = "VAULT_KV_PATHS is not set, or its mounts could not be read"
_NO_DATABASE = "no database is configured, or it does not answer"
_KINDS = {"secret": "blue", "file": "purple", "variable": "light-blue", "other": LIMIT}


def nodes_section() -> Section:
    """Return the section about the nodes."""
    return Section("Which node?", [shelf(7, _nodes(), _states(), widths=(14, 10)), shelf(6, _certificates(), _token())])


def ages_section(limits: Thresholds) -> Section:
    """Return the section about the secrets in Vault."""
    return Section(
        "What was not rotated?",
        [shelf(6, _mounts(limits)), shelf(8, _oldest(limits), _overdue(), _secrets())],
    )


def stored_section() -> Section:
    """Return the section about the secrets in Supercheck's database."""
    return Section("What does Supercheck itself store?", [shelf(7, _stored(), _stored_age())])


def _node(metric: str) -> str:
    return promql.each(f"supercheck_vault_{metric}", "", "node")


def _nodes() -> models.Panel:
    yes_bad = [states({"0": ("no", GREEN), "1": ("SEALED", RED)})]
    return rows(
        "Each node",
        Doc(
            "Every node of VAULT_ADDRS and what it says of itself. A sealed node has no role.",
            "all up, none sealed, one of them active.",
            "unseal or start it; the certificate is renewed before its day.",
        ),
        [Label("node", "Node")],
        [
            Value(
                "Answers", _node("up"), "short", mappings=[states({"0": ("DOWN", RED), "1": ("up", GREEN)})], width=90
            ),
            Value("Sealed", _node("sealed"), "short", mappings=yes_bad, width=90),
            Value(
                "Role",
                _node("standby"),
                "short",
                mappings=[states({"0": ("active", GREEN), "1": ("standby", PLAIN)})],
                width=90,
                absent="none",
            ),
            Value(
                "Initialized",
                _node("initialized"),
                "short",
                mappings=[states({"0": ("NO", RED), "1": ("yes", GREEN)})],
                width=100,
            ),
            Value(
                "Certificate ends",
                f"1000 * {_node('certificate_expiry_timestamp_seconds')}",
                "dateTimeFromNow",
                absent="no TLS, or down",
            ),
        ],
        no_data=NO_VAULT,
        sort_by="Answers",
        descending=False,
        runbooks=["VaultSealed", "VaultDown"],
    )


def _states() -> models.Panel:
    up, sealed, standby = _node("up"), _node("sealed"), _node("standby")
    return lines(
        "Nodes by state",
        Doc(
            "How many nodes are active, standby, sealed or down.",
            "one active, the others standby.",
            "sealed after a restart: unseal. Active falls to 0 and comes back: a failover.",
        ),
        [
            Line(promql.count_or_zero(f"{standby} == 0", up), "active", OUT),
            Line(promql.count_or_zero(f"{standby} == 1", up), "standby", IN),
            Line(promql.count_or_zero(f"{sealed} == 1", up), "sealed", SLOW),
            Line(promql.count_or_zero(f"{up} == 0", up), "down", TROUBLE),
        ],
        unit="short",
        decimals=0,
        stacked=True,
        no_data=NO_VAULT,
        runbooks=["VaultSealed", "VaultDown", "VaultNoActiveNode"],
    )


def _certificates() -> models.Panel:
    return lines(
        "Certificates end in",
        Doc(
            "Time until each node's certificate ends.",
            "weeks; a jump up is a renewal.",
            "renew it and send the node a SIGHUP: no restart, no seal.",
        ),
        [Line(f"{_node('certificate_expiry_timestamp_seconds')} - time()", "{{node}}")],
        unit="s",
        no_data="no node speaks TLS, or none answers",
        runbooks=["VaultDown"],
    )


def _token() -> models.Panel:
    return lines(
        "The exporter's token",
        Doc(
            "Time left to the token with which the exporter reads, and the time for which it was made.",
            "a saw: each renewal is a jump up.",
            "only downwards: nobody renews it.",
        ),
        [
            Line("min(supercheck_vault_token_ttl_seconds)", "left", IN),
            Line("max(supercheck_vault_token_lifetime_seconds)", "lifetime", LIMIT, dashed=True),
        ],
        unit="s",
        no_data="no token, or one that never expires",
        runbooks=["VaultTokenExpiring"],
    )


def _mount(metric: str) -> str:
    return promql.each(f"supercheck_vault_{metric}", "", "mount")


def _mounts(limits: Thresholds) -> models.Panel:
    return rows(
        "Mounts",
        Doc(
            "Each mount of VAULT_KV_PATHS: its secrets, the oldest, and how many are overdue. Read once an hour.",
            "nothing overdue, read within the last hour or two.",
            "not here: it could not be read whole. The exporter's log says why, and `check` the policy.",
        ),
        [Label("mount", "Mount")],
        [
            Value("Secrets", _mount("secrets"), "short", decimals=0),
            Value("Overdue", _mount("secrets_overdue_rotation"), "short", ANY_IS_WARNING, decimals=0),
            Value(
                "Oldest", _mount("secret_age_seconds"), "s", limits.above(warning="secret_rotation_seconds"), decimals=1
            ),
            Value("Read", f"1000 * {_mount('secrets_last_success_timestamp_seconds')}", "dateTimeFromNow"),
        ],
        no_data=_NO_MOUNT,
        sort_by="Overdue",
        runbooks=["SecretRotationOverdue"],
    )


def _oldest(limits: Thresholds) -> models.Panel:
    return lines(
        "Oldest secret of each mount",
        Doc(
            "Age of the current version of the secret that was not changed for longest. Dashed: when it is overdue.",
            "below the dashed line; a fall is a rotation.",
            "rotate it; one that must never be rotated belongs below a path that is not looked at.",
        ),
        [Line(_mount("secret_age_seconds"), "{{mount}}")],
        unit="s",
        levels=limits.above(warning="secret_rotation_seconds"),
        no_data=_NO_MOUNT,
        runbooks=["SecretRotationOverdue"],
    )


def _overdue() -> models.Panel:
    return lines(
        "Overdue secrets",
        Doc(
            "Secrets whose current version is older than the limit, by mount.",
            "0.",
            "a steady rise: nobody rotates. A jump: many were written on one day, and are due together.",
        ),
        [Line(_mount("secrets_overdue_rotation"), "{{mount}}")],
        unit="short",
        decimals=0,
        no_data=_NO_MOUNT,
        runbooks=["SecretRotationOverdue"],
    )


def _secrets() -> models.Panel:
    return lines(
        "Secrets in Vault",
        Doc(
            "Secrets with a current version, by mount.",
            "changes when somebody adds or deletes one.",
            "a fall that nobody can explain: look into the audit log.",
        ),
        [Line(_mount("secrets"), "{{mount}}")],
        unit="short",
        decimals=0,
        no_data=_NO_MOUNT,
    )


def _stored() -> models.Panel:
    return lines(
        "Secrets in the database",
        Doc(
            "Project variables that are secret, by type; all are encrypted with the one SECRET_ENCRYPTION_KEY.",
            "changes as users add and delete them.",
            "a fall to 0: the table was lost, or the role may not read it.",
        ),
        [Line(promql.each("supercheck_secrets_stored", "", "kind"), "{{kind}}")],
        unit="short",
        decimals=0,
        stacked=True,
        colors=_KINDS,
        no_data=_NO_DATABASE,
    )


def _stored_age() -> models.Panel:
    return lines(
        "Oldest secret in the database",
        Doc(
            "Time since the secret that was not changed for longest was made or changed, by type.",
            "grows: no alert is made of it, since only a project's users can change it.",
            "remind the users, or move what the site itself needs into Vault.",
        ),
        [Line(promql.each("supercheck_secrets_oldest_age_seconds", "", "kind"), "{{kind}}")],
        unit="s",
        colors=_KINDS,
        no_data=_NO_DATABASE,
    )
