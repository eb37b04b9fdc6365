"""What the demo is made of: the addresses, the files and the programs of one run, in one temporary directory."""

from __future__ import annotations

import os
import random
import secrets
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from supercheck_exporter.render import OPTIONAL_TARGETS

from compose.demo.manager import DemoError, Program, base_environment
from compose.demo.programs import find, find_node, version_of
from compose.demo.store import Store

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "compose/demo"
PREVIEW = ROOT / "dashboards/preview"
WORKERS = 2
# Below the range of outgoing connections, so that no client takes a port between its choice and its use.
PORTS = range(15000, 32000)
RENDER_SECONDS = 60.0


@dataclass(frozen=True)
class Addresses:
    """One free port of 127.0.0.1 for each part."""

    redis: int
    postgres: int
    pgbouncer: int
    exporter: int
    prometheus: int
    alertmanager: int
    receiver: int
    mail: int
    preview: int

    @classmethod
    def choose(cls) -> Addresses:
        """Ports that nothing listens on now."""
        found: list[int] = []
        for port in random.sample(PORTS, 500):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            found.append(port)
            if len(found) == len(cls.__dataclass_fields__):
                return cls(*found)
        raise DemoError("no free ports found on 127.0.0.1")


def program(name: str, *others: str) -> str:
    """Path of a program: the one built by `make tools`, else the one on PATH."""
    found = find(name, *others)
    if found is None:
        raise DemoError(f"{name} is missing: run compose/install.sh demo")
    return str(found)


def node() -> str:
    """Path of Node."""
    found = find_node()
    if found is None:
        raise DemoError("Node is missing: run compose/install.sh demo")
    return str(found)


def exporter_command() -> str:
    """Path of supercheck-exporter, beside this Python."""
    return str(Path(sys.executable).parent / "supercheck-exporter")


class Parts:
    """The files of one run below `directory`, and the programs that read them."""

    def __init__(self, directory: Path, marker: str) -> None:
        self.directory = directory
        self.at = Addresses.choose()
        self.env = base_environment(marker)
        self.password = secrets.token_hex(16)
        self._alertmanager = program("alertmanager", "prometheus-alertmanager")
        if os.geteuid() == 0:
            directory.chmod(0o711)  # the user that the database runs as passes through to its own folder
        self.store = Store(directory, (self.at.postgres, self.at.pgbouncer), self._secret)
        self._secret("redis-password", self.password)
        self._secret("pagerduty-key", secrets.token_hex(16))
        self._secret("slack-url", f"{self.url('receiver')}/services/T0/B0/{secrets.token_hex(12)}")

    def url(self, part: str) -> str:
        """Where a part listens, without a trailing slash."""
        return f"http://127.0.0.1:{getattr(self.at, part)}"

    def _secret(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def render(self, after: str = "") -> str:
        """Write the configurations as compose does; returns what `render` said about who is paged.

        `after` is a command that is run with the configurations' folder as last argument (the tests shorten
        the waiting times there).
        """
        out = self.directory / "config"
        env = self.env | {
            **dict.fromkeys(OPTIONAL_TARGETS, ""),  # none of these runs here
            "PUBLIC_URL": self.url("exporter"),
            "EXPORTER_TARGETS": f"127.0.0.1:{self.at.exporter}",
            "PROMETHEUS_TARGET": f"127.0.0.1:{self.at.prometheus}",
            "ALERTMANAGER_TARGET": f"127.0.0.1:{self.at.alertmanager}",
            "ALERTMANAGER_VERSION": version_of(Path(self._alertmanager)),
            "ALERT_PAGERDUTY_ROUTING_KEY_FILE": str(self.directory / "pagerduty-key"),
            "ALERT_PAGERDUTY_URL": f"{self.url('receiver')}/v2/enqueue",
            "ALERT_SLACK_WEBHOOK_URL_FILE": str(self.directory / "slack-url"),
            "ALERT_DEADMAN_URL": f"{self.url('receiver')}/deadman",
        }
        commands = [[exporter_command(), "render", "--out", str(out)]]
        if after:
            commands.append([*shlex.split(after), str(out)])
        said = ""
        for command in commands:
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=RENDER_SECONDS, cwd=ROOT)
            if done.returncode:
                raise DemoError(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}".rstrip())
            said += done.stdout + done.stderr
        return said

    def programs(self) -> list[Program]:
        """Every program, in the order in which they are started."""
        redis = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.at.redis)}
        site = redis | {"REDIS_PASSWORD": self.password} | self.store.site_env
        config = self.directory / "config"
        return [
            Program("redis", [program("redis-server"), str(self._redis_config())]),
            *self.store.programs(),
            Program(
                "workers",
                [node(), str(HERE / "site/worker.js")],
                site | {"WORKER_HOSTNAME": "demo-worker-%(process_num)d"},
                copies=WORKERS,
                stop_signal="KILL",  # a crash: nothing is tidied up
            ),
            Program("app", [node(), str(HERE / "site/app.js")], site),
            Program(
                "exporter",
                [exporter_command(), "serve", "--listen", f"127.0.0.1:{self.at.exporter}"],
                redis
                | self.store.exporter_env
                | {
                    "REDIS_PASSWORD_FILE": str(self.directory / "redis-password"),
                    "PUBLIC_URL": self.url("exporter"),
                    "ALERTMANAGER_URL": self.url("alertmanager"),
                    "GRAFANA_URL": self.url("preview") if self.has_preview else "",
                },
            ),
            Program(
                "receiver",
                [
                    sys.executable,
                    str(HERE / "receiver.py"),
                    f"--http-port={self.at.receiver}",
                    f"--smtp-port={self.at.mail}",
                ],
            ),
            Program(
                "alertmanager",
                [
                    self._alertmanager,
                    f"--config.file={config}/alertmanager/alertmanager.yml",
                    f"--storage.path={self.directory}/alertmanager",
                    f"--web.listen-address=127.0.0.1:{self.at.alertmanager}",
                    "--cluster.listen-address=",  # alone: no gossip port
                ],
            ),
            Program(
                "prometheus",
                [
                    program("prometheus"),
                    f"--config.file={config}/prometheus/prometheus.yml",
                    f"--storage.tsdb.path={self.directory}/prometheus",
                    "--storage.tsdb.retention.time=1d",
                    f"--web.listen-address=127.0.0.1:{self.at.prometheus}",
                ],
            ),
            *([self._preview()] if self.has_preview else []),
        ]

    @property
    def has_preview(self) -> bool:
        """Whether the page that draws the dashboards is built."""
        return (PREVIEW / "dist/index.html").is_file()

    def _preview(self) -> Program:
        command = [
            sys.executable,
            str(PREVIEW / "serve.py"),
            f"--prometheus={self.url('prometheus')}",
            f"--listen=127.0.0.1:{self.at.preview}",
            f"--var=public_url={self.url('exporter')}",
        ]
        return Program("preview", command)

    def _redis_config(self) -> Path:
        path = self.directory / "redis.conf"
        path.touch(mode=0o600)
        path.write_text(
            f"bind 127.0.0.1\nport {self.at.redis}\nrequirepass {self.password}\n"
            f'dir {self.directory}\nsave ""\nappendonly no\n'
            "maxmemory 256mb\nmaxmemory-policy noeviction\n",  # queues must never be evicted
            encoding="utf-8",
        )
        return path

    def table(self) -> list[tuple[str, str, str]]:
        """What runs where: name, address, what it is for."""
        preview = ("dashboards", f"{self.url('preview')}/", "drawn without Grafana, by its own library")
        return [
            *([preview] if self.has_preview else []),
            ("status page", f"{self.url('exporter')}/", "what the exporter sees now, and the runbooks"),
            ("Prometheus", f"{self.url('prometheus')}/alerts", "the rules and their state"),
            ("Alertmanager", f"{self.url('alertmanager')}/", "who is told (Debian's build has no pages)"),
            ("receiver", f"{self.url('receiver')}/messages", "what PagerDuty and Slack would have got"),
            ("Redis", f"127.0.0.1:{self.at.redis}", f"password in {self.directory}/redis-password"),
            ("PostgreSQL", f"127.0.0.1:{self.at.postgres}", f"URL in {self.directory}/database-url"),
            ("PgBouncer", f"127.0.0.1:{self.at.pgbouncer}", f"URL in {self.directory}/pgbouncer-url"),
            ("logs", f"{self.directory}/logs", "one file a program"),
        ]
