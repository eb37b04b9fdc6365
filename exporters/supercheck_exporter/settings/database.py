"""How PostgreSQL and PgBouncer are reached."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from supercheck_exporter.settings.fields import Group, setting

_DATABASE = "postgresql://user:password@host:port/database, with libpq's parameters"


class DatabaseSettings(Group):
    """How PostgreSQL and PgBouncer are reached."""

    exporter_database_url: SecretStr | None = setting(
        None, _DATABASE, "PostgreSQL itself, no pooler, with a role of its own (sql/role.sql); unset: DATABASE_URL."
    )
    database_url: SecretStr | None = setting(
        None, _DATABASE, "Supercheck's own name, used where EXPORTER_DATABASE_URL is unset; both unset: no database."
    )
    pgbouncer_url: SecretStr | None = setting(
        None, _DATABASE, "PgBouncer's console (database pgbouncer), as one of its stats_users; unset: no pooler."
    )
    database_timeout_seconds: Annotated[float, Field(ge=2, le=30)] = setting(
        4.0, "seconds from 2 to 30", "Deadline of a collector's connection and reads; keep it below the scrape timeout."
    )

    database_read_seconds: Annotated[float, Field(ge=1, le=60)] = setting(
        10.0,
        "seconds from 1 to 60",
        "How often Supercheck's own tables are read, in the background; statistics are read on each scrape.",
    )

    @field_validator("exporter_database_url", "database_url", "pgbouncer_url")
    @classmethod
    def _database(cls, url: SecretStr) -> SecretStr:
        import psycopg  # 11 MiB that a site without a database does not need
        from psycopg.conninfo import conninfo_to_dict

        text = url.get_secret_value()
        try:
            conninfo_to_dict(text)
        except psycopg.ProgrammingError as error:  # its text shows the URL
            raise ValueError("not a URL of libpq") from error
        if not text.startswith(("postgresql://", "postgres://")):
            raise ValueError("no scheme")
        return url

    @property
    def database(self) -> tuple[str, str] | None:
        """The name and the value of the setting that names PostgreSQL itself; None where neither is set."""
        for name in ("exporter_database_url", "database_url"):
            url: SecretStr | None = getattr(self, name)
            if url is not None:
                return name.upper(), url.get_secret_value()
        return None
