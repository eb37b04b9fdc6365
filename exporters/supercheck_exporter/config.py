"""Settings from the environment. Supercheck's own variable names first, so its .env file works as it is.

Every secret can also come from a file named by ``<NAME>_FILE``. All problems are found before the first
is reported, each as one sentence that names the variable, what was read and what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    field_validator,
)

from supercheck_exporter.capacity.limits import Limits
from supercheck_exporter.thresholds import ThresholdError, default_thresholds, load_thresholds

QUEUES = (
    "playwright-global",
    "k6-global",
    "k6-local",
    "monitor-local",
    "job-scheduler",
    "k6-job-scheduler",
    "monitor-scheduler",
    "email-template-render",
    "data-lifecycle-cleanup",
)
"""Supercheck's queues on a fresh install (supercheck.md 1.1); seeded, so an untouched queue reads 0."""


class ConfigError(Exception):
    """Settings that cannot be used; ``problems`` holds one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _pairs(text: object) -> object:
    """Read ``name=number,name=number``; a queue name may hold ``=``, so the last one splits."""
    if not isinstance(text, str):
        return text
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = item.rpartition("=")
        if not equals or not name.strip():
            raise ValueError(f"{item!r} is not queue=number")
        pairs[name.strip()] = number.strip()
    return pairs


def _tiers(text: object) -> object:
    """Read ``plan=running/queued`` pairs, separated by commas."""
    if not isinstance(text, str):
        return text
    tiers: dict[str, Limits] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        plan, _, numbers = item.partition("=")
        running, _, queued = (part.strip() for part in numbers.partition("/"))
        if not plan.strip() or not running.isdecimal() or not queued.isdecimal():
            raise ValueError(f"{item!r} is not plan=running/queued")
        tiers[plan.strip()] = Limits(int(running), int(queued))
    return tiers


def _queue_names(text: object) -> object:
    if not isinstance(text, str):
        return text
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if any(":" in name for name in names):
        raise ValueError("BullMQ allows no colon in the name of a queue")
    return names


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("no scheme")
    return text.rstrip("/")


def _host(text: str) -> str:
    if any(char in text for char in "/@ "):  # a whole URL, perhaps with its password, which would be shown
        raise ValueError("not a host")
    return text


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerQueue = Annotated[dict[str, Positive], BeforeValidator(_pairs)]
QueueNames = Annotated[tuple[str, ...], BeforeValidator(_queue_names)]
Tiers = Annotated[dict[str, Limits], BeforeValidator(_tiers)]
IsSet = Annotated[bool, BeforeValidator(bool)]
Url = Annotated[str, AfterValidator(_url)]
Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=0)]

_ORDER = (("workers_min", "workers_max"), ("workers_scale_down_below", "workers_scale_up_above"))

_FLAG = "true or false"
_DATABASE = "postgresql://user:password@host:port/database, with libpq's parameters"
_QUEUE_NUMBERS = "queue=number pairs with numbers over 0, separated by commas"


def _setting(default: Any, allowed: str, help_text: str) -> Any:
    return Field(default, description=help_text, json_schema_extra={"allowed": allowed})


class Settings(BaseModel):
    """Every setting of the exporter. Each is read from the variable of the same name in capitals."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    redis_host: Host | None = _setting(
        None, "a host name or address, no URL", "Redis host; unset: no Redis is watched."
    )
    redis_port: Port = _setting(6379, "a port from 1 to 65535", "Redis port.")
    redis_username: str | None = _setting(None, "a user name", "Redis ACL user; unset: the default user.")
    redis_password: SecretStr | None = _setting(None, "any text", "Redis password.")
    redis_tls_enabled: bool = _setting(False, _FLAG, "Speak TLS to Redis.")
    redis_tls_reject_unauthorized: bool = _setting(True, _FLAG, "Refuse a certificate that no known CA signed.")
    redis_tls_ca_file: FilePath | None = _setting(
        None, "the path of a file", "CA certificates (PEM) to trust beside the system's."
    )
    redis_cluster: bool = _setting(False, _FLAG, "The host is a seed of a Redis Cluster.")
    redis_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = _setting(
        2.0, "seconds over 0, at most 30", "Socket timeout of each read; keep it below the scrape timeout."
    )
    exporter_database_url: SecretStr | None = _setting(
        None, _DATABASE, "PostgreSQL itself, no pooler, with a role of its own (sql/role.sql); unset: DATABASE_URL."
    )
    database_url: SecretStr | None = _setting(
        None, _DATABASE, "Supercheck's own name, used where EXPORTER_DATABASE_URL is unset; both unset: no database."
    )
    pgbouncer_url: SecretStr | None = _setting(
        None, _DATABASE, "PgBouncer's console (database pgbouncer), as one of its stats_users; unset: no pooler."
    )
    database_timeout_seconds: Annotated[float, Field(ge=2, le=30)] = _setting(
        4.0, "seconds from 2 to 30", "Deadline of a collector's connection and reads; keep it below the scrape timeout."
    )
    bullmq_prefix: str = _setting("bull", "the prefix given to BullMQ", "BullMQ key prefix.")
    bullmq_queues: QueueNames = _setting(
        QUEUES, "queue names without a colon, separated by commas", "Queues that exist before use."
    )
    bullmq_max_queues: Count = _setting(1000, "a whole number over 0", "At most this many queues get series.")
    max_queue_depth: Positive = _setting(10000, "a number over 0", "Jobs that a queue may hold (Supercheck's name).")
    queue_capacity: PerQueue = _setting({}, _QUEUE_NUMBERS, "Capacity of single queues, in jobs.")
    queue_run_budget_seconds: Positive = _setting(4800, "seconds over 0", "Longest run of a job that is still normal.")
    queue_run_budgets: PerQueue = _setting({}, _QUEUE_NUMBERS, "Run budget of single queues, in seconds.")
    queue_rate_limits: PerQueue = _setting(
        {}, _QUEUE_NUMBERS, "Jobs a window that workers' own limiters allow; Redis does not know it."
    )
    queue_concurrency: PerQueue = _setting({}, _QUEUE_NUMBERS, "Jobs that one consumer of a queue runs at once.")
    self_hosted: bool = _setting(False, _FLAG, "Supercheck's own switch: true, and plans do not matter.")
    polar_access_token: IsSet = _setting(
        False, "any text", "Whether Supercheck's own is set (the cloud's plans count then); the text itself is dropped."
    )
    running_capacity: Limit | None = _setting(
        None, "a whole number", "Runs an organization may have at once, as Supercheck is told; unset: the plan's."
    )
    queued_capacity: Limit | None = _setting(
        None, "a whole number", "Runs an organization may have parked, as Supercheck is told; unset: the plan's."
    )
    capacity_tiers: Tiers = _setting(
        {"free": Limits(1, 5), "pro": Limits(5, 50), "enterprise": Limits(20, 200)},
        "plan=running/queued pairs, separated by commas",
        "Limits of plans that the table plan_limits does not have.",
    )
    capacity_top_organizations: Annotated[int, Field(ge=1, le=200)] = _setting(
        20, "a whole number from 1 to 200", "Organizations with series of their own, the fullest; the rest is summed."
    )
    workers_min: Annotated[int, Field(ge=0)] = _setting(1, "a whole number", "Fewest workers of a location.")
    workers_max: Count = _setting(10, "a whole number over 0", "Most workers of a location.")
    workers_scale_down_below: Positive = _setting(10, "jobs over 0", "Backlog below which workers may go.")
    workers_scale_up_above: Positive = _setting(50, "jobs over 0", "Backlog above which workers must come.")
    public_url: Url = _setting(
        "http://127.0.0.1:9820", "a URL that starts with http:// or https://", "Where people reach this exporter."
    )
    grafana_url: Url | None = _setting(
        None, "a URL that starts with http:// or https://", "Where people reach the dashboards."
    )
    alertmanager_url: Url | None = _setting(
        None, "a URL that starts with http:// or https://", "Alertmanager, asked by the status page who is paged."
    )
    log_level: Annotated[str, AfterValidator(lambda text: _level(text))] = _setting(
        "info", "debug, info, warn or error", "Least level that is logged."
    )

    thresholds: dict[str, float] = Field(default_factory=default_thresholds)
    """Every THRESHOLD_ setting (thresholds.py), by name."""

    @field_validator("exporter_database_url", "database_url", "pgbouncer_url")
    @classmethod
    def _database(cls, url: SecretStr) -> SecretStr:
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

    @property
    def cloud(self) -> bool:
        """Whether the app goes by the plans that organizations pay for, as it decides that itself."""
        return self.polar_access_token and not self.self_hosted

    def capacity(self, queue: str) -> float:
        """Jobs that the queue may hold."""
        return self.queue_capacity.get(queue, self.max_queue_depth)

    def run_budget(self, queue: str) -> float:
        """Longest normal run of a job of the queue, in seconds."""
        return self.queue_run_budgets.get(queue, self.queue_run_budget_seconds)


def _level(text: str) -> str:
    names = {"trace": "debug", "warning": "warn", "fatal": "error"}
    level = names.get(text.lower(), text.lower())
    if level not in {"debug", "info", "warn", "error"}:
        raise ValueError("unknown level")
    return level


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings from an environment.

    Raises ConfigError with every problem of every setting, thresholds included.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
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
    for low, high in _ORDER if settings else ():
        least, most = getattr(settings, low), getattr(settings, high)
        if least > most:
            problems.append(f'{low.upper()}: read "{least:g}", allowed is at most {high.upper()}, which is "{most:g}".')
    if problems or settings is None:
        raise ConfigError(problems)
    return settings


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
