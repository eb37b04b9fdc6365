"""Settings from the environment. Supercheck's own variable names first, so its .env file works as it is.

Every secret can also come from a file named by ``<NAME>_FILE``. All problems are found before the first
is reported, each as one sentence that names the variable, what was read and what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from supercheck_exporter import site_env
from supercheck_exporter.settings import ORDER, Settings
from supercheck_exporter.thresholds import ThresholdError, load_thresholds


class ConfigError(Exception):
    """Settings that cannot be used; ``problems`` holds one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings from an environment.

    Raises ConfigError with every problem of every setting, thresholds included.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    env = _with_site(env, problems)
    try:
        values["thresholds"] = load_thresholds(env)
    except ThresholdError as error:
        problems += error.problems
    for name in Settings.model_fields:
        if name == "thresholds":
            continue
        text = env.get(name.upper(), "")
        if _is_secret(name):
            text = _secret(name.upper(), text, env, problems)
        if text != "":
            values[name] = text
    settings: Settings | None = None
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems += _sentences(error, values)
    for low, high in ORDER if settings else ():
        least, most = getattr(settings, low), getattr(settings, high)
        if least > most:
            problems.append(f'{low.upper()}: read "{least:g}", allowed is at most {high.upper()}, which is "{most:g}".')
    if problems or settings is None:
        raise ConfigError(problems)
    return settings


def _with_site(env: Mapping[str, str], problems: list[str]) -> Mapping[str, str]:
    try:
        return site_env.complete(env, [name.upper() for name in Settings.model_fields])
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problems.append(
            f"{site_env.SETTING} names {env[site_env.SETTING]}, which cannot be read ({reason}): "
            "let this user read Supercheck's .env, or unset it."
        )
        return env


def _is_secret(name: str) -> bool:
    return SecretStr in get_args(Settings.model_fields[name].annotation)


def _secret(name: str, text: str, env: Mapping[str, str], problems: list[str]) -> str:
    path = env.get(f"{name}_FILE", "")
    if not path:
        return text
    if text:
        problems.append(f"{name} and {name}_FILE are both set: unset one of them.")
        return text
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problems.append(f"{name}_FILE names {path}, which cannot be read ({reason}): mount the file, or unset it.")
        return ""


def _sentences(error: ValidationError, values: Mapping[str, Any]) -> list[str]:
    """One sentence a variable: what was read and what is allowed; a secret's value is never shown."""
    found: dict[str, str] = {}
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        extra = Settings.model_fields[name].json_schema_extra
        allowed = extra["allowed"] if isinstance(extra, dict) else ""
        text = str(values.get(name, ""))
        # where an @ stands, a login may stand before it
        read = "a value" if _is_secret(name) or "@" in text else f'"{text}"'
        found.setdefault(name, f"{name.upper()}: read {read}, allowed is {allowed}.")
    return list(found.values())
