"""Which services outside are probed, and so have a circuit breaker."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr, field_validator

from supercheck_exporter.settings.fields import FLAG, Group, Host, Port, setting
from supercheck_exporter.settings.probes import checked_url, pairs

SERVICES: Mapping[str, str] = {
    # where incoming webhooks are posted to; its root redirects, and no webhook is named
    "slack": "https://hooks.slack.com/",
    # tells any caller where the gateway is; webhooks are on the same host
    "discord": "https://discord.com/api/v10/gateway",
    # redirects to the documentation; without a bot's token nothing can be sent
    "telegram": "https://api.telegram.org/",
    # refused without a key: 401
    "openai": "https://api.openai.com/v1/models",
}
"""Services that DEPENDENCIES may name alone, and the URL that is asked with GET: nothing is sent by that."""

OF_SETTINGS = ("s3", "smtp")
"""Dependencies that have settings of their own."""


class DependencySettings(Group):
    """Which services outside are probed, and so have a circuit breaker; S3 is one where S3_ENDPOINT is set."""

    smtp_host: Host | None = setting(
        None, "a host name or address, no URL", "Supercheck's mail server, asked and given no mail; unset: not asked."
    )
    smtp_port: Port = setting(587, "a port from 1 to 65535", "Its port.")
    smtp_secure: bool = setting(False, FLAG, "TLS from the first byte (port 465); else STARTTLS where it is offered.")
    dependencies: SecretStr | None = setting(
        None,
        "slack, discord, telegram, openai, or name=URL pairs (not s3, smtp; URLs without a login), separated by commas",
        "Further services; any answer below 500 is a good one.",
    )

    @field_validator("dependencies")
    @classmethod
    def _dependencies(cls, value: SecretStr) -> SecretStr:
        for name, url in pairs(value.get_secret_value()):
            if name in OF_SETTINGS or (not url and name not in SERVICES):
                raise ValueError("a name that is taken, or of no known service")
            checked_url(url or SERVICES[name])
        return value

    @property
    def named_dependencies(self) -> dict[str, str]:
        """Name -> URL of what DEPENDENCIES names."""
        named = pairs(self.dependencies.get_secret_value()) if self.dependencies else ()
        return {name: url or SERVICES[name] for name, url in named}
