"""Where people reach the bundle, and what it logs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from supercheck_exporter.settings.fields import Group, Url, setting


def _level(text: str) -> str:
    names = {"trace": "debug", "warning": "warn", "fatal": "error"}
    level = names.get(text.lower(), text.lower())
    if level not in {"debug", "info", "warn", "error"}:
        raise ValueError("unknown level")
    return level


class LinkSettings(Group):
    """Where people reach the bundle, and what it logs."""

    public_url: Url = setting(
        "http://127.0.0.1:9820", "a URL that starts with http:// or https://", "Where people reach this exporter."
    )
    grafana_url: Url | None = setting(
        None, "a URL that starts with http:// or https://", "Where people reach the dashboards."
    )
    alertmanager_url: Url | None = setting(
        None, "a URL that starts with http:// or https://", "Alertmanager, asked by the status page who is paged."
    )
    log_level: Annotated[str, AfterValidator(_level)] = setting(
        "info", "debug, info, warn or error", "Least level that is logged."
    )
