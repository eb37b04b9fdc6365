"""Secrets: does Vault answer and is it open, who records it, what was not rotated, what lies in the database."""

from . import links, promql, shared
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, ANY_IS_WARNING, ZERO_IS_CRITICAL, Thresholds
from .panels import Doc, one
from .sdk import models
from .secrets_detail import NO_VAULT, ages_section, nodes_section, stored_section
from .spec import Spec


def _sections(limits: Thresholds) -> list[Section]:
    alerts = shared.alerts_table("Alerts about secrets", 'component="secrets"')
    return [
        Section("Can secrets be had?", [shelf(4, *_strip(limits)), shelf(6, alerts)]),
        nodes_section(),
        ages_section(limits),
        stored_section(),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    up = promql.each("supercheck_vault_up", "", "node")
    sealed = promql.each("supercheck_vault_sealed", "", "node")
    standby = promql.each("supercheck_vault_standby", "", "node")
    return [
        one(
            "Nodes down",
            Doc(
                "Nodes of Vault that do not answer the exporter, or where something else answers.",
                "0.",
                "the table 'Each node' names them; the status page of the exporter says why.",
            ),
            promql.count_or_zero(f"{up} == 0", up),
            unit="short",
            levels=ANY_IS_CRITICAL,
            no_data=NO_VAULT,
            runbooks=["VaultDown"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Nodes sealed",
            Doc(
                "Nodes that answer, and whose keys are locked away: they were restarted, or never initialized.",
                "0; for a minute after a restart.",
                "unseal them, the standbys too.",
            ),
            promql.count_or_zero(f"{sealed} == 1", sealed),
            unit="short",
            levels=ANY_IS_CRITICAL,
            no_data=f"{NO_VAULT}, or no node answers",
            runbooks=["VaultSealed"],
            loud=True,
        ),
        one(
            "Active nodes",
            Doc(
                "Unsealed nodes that are no standby. With replication each cluster has one.",
                "1.",
                "0: nobody serves. Unseal the others; without a quorum nobody becomes active.",
            ),
            promql.count_or_zero(f"{standby} == 0", standby),
            unit="short",
            levels=ZERO_IS_CRITICAL,
            no_data="no node is unsealed",
            runbooks=["VaultNoActiveNode"],
        ),
        one(
            "Audit devices",
            Doc(
                "Audit devices that are enabled: who records each request.",
                "2, so that a full disk under one does not stop Vault.",
                "0: enable one now, and find out who disabled it.",
            ),
            "max(supercheck_vault_audit_devices)",
            unit="short",
            levels=ZERO_IS_CRITICAL,
            no_data="no token, or its policy does not let sys/audit be read",
            runbooks=["VaultNoAudit"],
        ),
        one(
            "Secrets overdue",
            Doc(
                "Secrets in Vault whose current version is older than the limit for a rotation, of all mounts.",
                "0.",
                "'Mounts' below says where; make new credentials and write them.",
            ),
            "sum(max by (mount) (supercheck_vault_secrets_overdue_rotation))",
            unit="short",
            levels=ANY_IS_WARNING,
            no_data="VAULT_KV_PATHS is not set, or its mounts could not be read",
            runbooks=["SecretRotationOverdue"],
        ),
        one(
            "Token expires in",
            Doc(
                "Time left to the exporter's own token. Orange as VaultTokenExpiring, which leaves out short periods "
                "that are renewed.",
                "weeks, or whatever its period is.",
                "renew it: `vault token renew`.",
            ),
            "min(supercheck_vault_token_ttl_seconds)",
            unit="s",
            levels=limits.below(warning="vault_token_ttl_seconds"),
            no_data="no token, or one that never expires",
            runbooks=["VaultTokenExpiring"],
        ),
    ]


SPEC = Spec(
    uid=links.SECRETS,
    title="Supercheck / Secrets",
    description="Is Vault there and open? Who records what is done? Which secrets are old, there and in the database?",
    sections=_sections,
    alert_matchers='component="secrets"',
)
