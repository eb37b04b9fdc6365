"""The bundle in Docker: a copy of this repository, its compose files as they are, settings and secrets of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servers.docker_engine import DockerEngine, compose_plugin
from servers.process import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
UP_SECONDS = 300.0
ANSWER_SECONDS = 10
FILES = {
    "exporter/database_url": "postgresql://supercheck_exporter:{word}@postgres:5432/supercheck",
    "exporter/pgbouncer_url": "postgresql://stats:{word}@pgbouncer:6432/pgbouncer",
    "exporter/redis_password": "{word}",
    "pgbouncer/users.txt": '"stats" "{word}"\n"supercheck_app" "word"\n',
    "grafana/admin_password": "{word}",
    "alertmanager/pagerduty_routing_key": "{word}",
    "alertmanager/slack_webhook_url": "http://sink:8080/services/T00/B00/{word}",
    "backup/key": "{word}{word}",
    "backup/database_url": "postgresql://supercheck_backup:{word}@postgres:5432/supercheck",
    "backup/aws_access_key_id": "{word}",
    "backup/aws_secret_access_key": "{word}{word}",
    "edge/edge_refresh.map": '"{word}" 1;\n',
}
"""Secret files below compose/secrets -> what stands in each; one word of chance for all, which must be seen nowhere."""

LEFT_OUT = {"loki", "tempo"}
"""Services that are not started by `up()`: no registry here has their programs."""


def copy_of_the_repository(folder: Path) -> None:
    """Every file that git has or would take: what a clone would be after the next commit."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


@dataclass
class Bundle:
    """One compose project in `folder`. `settings` go before those of the demo; `profiles` beside it."""

    engine: DockerEngine
    folder: Path
    profiles: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project = f"supercheck-e2e-{os.getpid()}"
        self.network = f"{self.project}-site"
        self.word = secrets.token_hex(16)  # as long as PagerDuty wants its key
        self.grafana_port = free_port()
        self._program = compose_plugin(self.engine)
        copy_of_the_repository(self.folder)
        self._write_settings()
        self._write_secrets()

    def _write_settings(self) -> None:
        demo = (self.folder / "compose/demo/demo.env").read_text(encoding="utf-8")
        mine = {
            "COMPOSE_PROFILES": ",".join(("demo", *self.profiles)),
            "COMPOSE_PROJECT_NAME": self.project,
            "SUPERCHECK_NETWORK": self.network,
            "GRAFANA_PORT": str(self.grafana_port),
            "FRONT_ADDRESS": "127.0.0.1",
            "FRONT_PORT": str(free_port()),
            "EDGE_PORT": str(free_port()),
            "DOCKER_CONTAINERS": f"{self.engine.root_folder()}/containers",
            **self.settings,
        }
        kept = [line for line in demo.splitlines() if line.partition("=")[0] not in mine]
        text = "\n".join([*kept, *(f"{name}={value}" for name, value in mine.items()), ""])
        (self.folder / "compose/.env").write_text(text, encoding="utf-8")

    def _write_secrets(self) -> None:
        for name, text in FILES.items():
            path = self.folder / "compose/secrets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(word=self.word), encoding="utf-8")
            path.chmod(0o644)

    # ---- commands

    def compose(self, *words: str, check: bool = True, settings: Mapping[str, str] | None = None) -> str:
        """`docker compose -f compose/compose.yaml WORDS` in the copy; `settings` go before compose/.env."""
        command = [*self._program, "-f", "compose/compose.yaml", *words]
        return self.engine.command(command, cwd=self.folder, check=check, more=settings).stdout

    def config(self) -> dict[str, Any]:
        """The whole of the files, as compose reads them."""
        read: dict[str, Any] = json.loads(self.compose("config", "--format", "json"))
        return read

    def services(self) -> dict[str, dict[str, Any]]:
        """Every service of the profiles that is started here."""
        return {name: one for name, one in self.config()["services"].items() if name not in LEFT_OUT}

    def once(self) -> list[str]:
        """Those of them that do one thing and end."""
        return sorted(name for name, one in self.services().items() if one.get("restart") == "no")

    def lasting(self) -> list[str]:
        """Those of them that are to run for ever and whose health Docker asks."""
        return sorted(
            name
            for name, one in self.services().items()
            if one.get("restart") != "no" and not one["healthcheck"].get("disable")
        )

    def unasked(self) -> list[str]:
        """Those that run for ever and have nothing in their image that could ask them."""
        return sorted(set(self.services()) - set(self.lasting()) - set(self.once()))

    def up(self) -> None:
        """Start them, in the order that the files give."""
        self.compose("up", "--detach", "--no-build", *self.services())

    def down(self) -> None:
        """Remove the containers, networks and volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)

    # ---- containers

    def containers(self) -> dict[str, dict[str, Any]]:
        """What Docker says of each container, by its service."""
        ids = self.compose("ps", "--all", "--quiet").split()
        found = self.engine.inspect(*ids) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def container(self, service: str) -> dict[str, Any]:
        """What Docker says of the container of a service."""
        return self.containers()[service]

    def states(self) -> dict[str, str]:
        """Each service's state: healthy, unhealthy, starting; where it has no health running or exited (CODE)."""
        states = {}
        for service, one in self.containers().items():
            state = one["State"]
            health = state.get("Health", {}).get("Status")
            if state["Status"] == "exited":
                states[service] = f"exited ({state['ExitCode']})"
            else:
                states[service] = health if health and health != "none" else state["Status"]
        return states

    def wait_states(self, wanted: Mapping[str, str], timeout: float = UP_SECONDS) -> None:
        """Wait until each of these services is in its state."""

        late: dict[str, str] = {}

        def reached() -> bool:
            nonlocal late
            states = self.states()
            late = {name: states.get(name, "absent") for name, state in wanted.items() if states.get(name) != state}
            return not late

        try:
            wait_for(reached, timeout, "the services' states")
        except AssertionError as error:
            logs = "".join(self.compose("logs", "--tail", "25", "--no-color", name, check=False) for name in late)
            raise AssertionError(f"{error}\n{late}\n{logs[-8000:]}") from None

    def signal(self, number: signal.Signals, *services: str) -> None:
        """Send a signal to every process of the services from outside: Docker takes no note of it, as of a crash."""
        found = self.containers()
        for service in services:
            # of one that is between two starts nothing is listed
            listed = self.engine.run("top", found[service]["Id"], "-eo", "pid", check=False).stdout.split()[1:]
            for process in listed:
                with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                    os.kill(int(process), number)

    def execute(self, service: str, *words: str, check: bool = True) -> str:
        """Run a program in a service's container; what it printed."""
        done = self.engine.run("exec", self.container(service)["Id"], *words, check=check)
        return done.stdout

    def addresses(self) -> Iterator[tuple[str, str, str]]:
        """(service, network, address) of each running container."""
        for service, one in self.containers().items():
            for network, facts in one["NetworkSettings"]["Networks"].items():
                if facts["IPAddress"]:
                    yield service, network, facts["IPAddress"]

    # ---- what a person would ask

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Prometheus' answer to an instant query: each series with its value."""
        at = f"http://127.0.0.1:9090/api/v1/query?query={urllib.parse.quote(expression)}"
        said = self.execute("prometheus", "wget", "-q", "-O", "-", at, check=False)
        answer: dict[str, Any] = json.loads(said) if said else {}
        found: list[dict[str, Any]] = answer.get("data", {}).get("result", [])
        return found

    def get(self, service: str, url: str) -> Any:
        """JSON that a service answers itself on 127.0.0.1, by its own wget."""
        said = self.execute(service, "wget", "-q", "-O", "-", url, check=False)
        return json.loads(said) if said else None

    def rules(self) -> list[dict[str, Any]]:
        """Every rule that Prometheus has, with its health."""
        answer = self.get("prometheus", "http://127.0.0.1:9090/api/v1/rules") or {"data": {"groups": []}}
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]
