"""How Redis is reached."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FilePath, SecretStr

from supercheck_exporter.settings.fields import FLAG, Group, Host, Port, setting


class RedisSettings(Group):
    """How Redis is reached."""

    redis_host: Host | None = setting(None, "a host name or address, no URL", "Redis host; unset: no Redis is watched.")
    redis_port: Port = setting(6379, "a port from 1 to 65535", "Redis port.")
    redis_username: str | None = setting(None, "a user name", "Redis ACL user; unset: the default user.")
    redis_password: SecretStr | None = setting(None, "any text", "Redis password.")
    redis_tls_enabled: bool = setting(False, FLAG, "Speak TLS to Redis.")
    redis_tls_reject_unauthorized: bool = setting(True, FLAG, "Refuse a certificate that no known CA signed.")
    redis_tls_ca_file: FilePath | None = setting(
        None, "the path of a file", "CA certificates (PEM) to trust beside the system's."
    )
    redis_cluster: bool = setting(False, FLAG, "The host is a seed of a Redis Cluster.")
    redis_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = setting(
        2.0, "seconds over 0, at most 30", "Socket timeout of each read; keep it below the scrape timeout."
    )
