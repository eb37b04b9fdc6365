"""The part of ``check`` that tries Vault: each node, the token, and one secret's metadata of each mount."""

from __future__ import annotations

from supercheck_exporter.collectors.vault import VaultCollector
from supercheck_exporter.core import SourceError
from supercheck_exporter.settings import Settings
from supercheck_exporter.site import Site

NOBODY = (
    "VAULT_TOKEN is not set: without it there is no supercheck_vault_audit_devices, no "
    "supercheck_vault_token_ttl_seconds and nothing about the age of secrets."
)
NO_AUDIT = (
    "VAULT_TOKEN may not read sys/audit: without it there is no supercheck_vault_audit_devices, and VaultNoAudit stays "
    'silent. Add to its policy: path "sys/audit" { capabilities = ["read", "sudo"] }'
)
NO_PATHS = "VAULT_KV_PATHS is not set: nothing is told of the age of secrets."


def check_vault(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """Try what is set; a Vault that is sealed is a state, and only told."""
    if not settings.vault_addrs:
        return
    site = Site(settings)
    collector = VaultCollector(site.vault, site.secret_ages)
    try:
        samples = collector.collect()
    except SourceError as error:
        problems.append(f"{error}.")
        samples = []
    # where all are down, the sentence above says it
    problems += [f"{error}." for error in collector.problems.values()] if samples else []
    notes += [
        f"Vault at {sample.labels[0]} is sealed."
        for sample in samples
        if sample.desc.name == "supercheck_vault_sealed" and sample.value == 1
    ]
    if not site.vault.has_token:
        notes.append(NOBODY)
    elif samples:
        if collector.audit_forbidden:
            notes.append(NO_AUDIT)
        if not settings.vault_kv_paths:
            notes.append(NO_PATHS)
        notes += [f"VAULT_KV_PATHS, {text}." for text in site.secret_ages.try_out()]
    collector.stop()
    site.secret_ages.stop()
