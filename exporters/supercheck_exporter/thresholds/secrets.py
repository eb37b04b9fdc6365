"""What is too old of secrets, and too short of the token that reads their ages."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "secret_rotation_seconds",
        90 * 86400,
        "seconds",
        "Age of the current version of a secret in Vault: above it SecretRotationOverdue warns.",
    ),
    Threshold(
        "vault_token_ttl_seconds",
        7 * 86400,
        "seconds",
        "Time left to the exporter's token: below it, and below a quarter of its lifetime, VaultTokenExpiring warns.",
    ),
)
