"""Raw answers of a real Redis, recorded once and played back: the golden files' input.

What is recorded is what passes between the exporter and redis-py, per client and command, in order.
Normalised are two things: the exporter's idea of *now* stands still (``tape.now``), so that ages are the same
each time, and the ports of a cluster's nodes are made 7001, 7002 ... in all texts (record.py). A single server's
host and port are those of the settings with which it is played.
"""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.config import load
from supercheck_exporter.core import Collector
from supercheck_exporter.followers import Follower
from supercheck_exporter.site import Site
from supercheck_exporter.sources.redis import Client, RedisSource

SINGLE = Path(__file__).parent / "answers.json"
CLUSTER = Path(__file__).parent / "answers_cluster.json"
FED_BY_REDIS = ("queues", "queue_events", "workers", "redis")
READS_AFTER = 6
"""Reads of the events streams after the scenario; each is short, so that the last ones find nothing."""


class Tape:
    """Answers by client and command; ``now`` is the Unix time at which the exporter looked."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.env: dict[str, str] = {}
        self.now = 0.0
        self.answers: dict[str, deque[Any]] = {}

    def put(self, purpose: str, words: tuple[Any, ...], answer: Any) -> None:
        """Record one answer; an error is one too."""
        kept = {"error": str(answer)} if isinstance(answer, Exception) else answer
        self.answers.setdefault(_key(purpose, words), deque()).append(kept)

    def take(self, purpose: str, words: tuple[Any, ...]) -> Any:
        """Play the next answer to this command."""
        answer = self.answers[_key(purpose, words)].popleft()
        return ResponseError(answer["error"]) if isinstance(answer, dict) else answer

    def save(self, path: Path) -> None:
        """Write the file."""
        answers = {key: [_plain(answer) for answer in found] for key, found in self.answers.items()}
        facts = {"versions": self.versions, "env": self.env, "now": self.now, "answers": answers}
        path.write_text(json.dumps(facts, indent=1, ensure_ascii=True) + "\n")

    @classmethod
    def read(cls, path: Path) -> Tape:
        """Read the file."""
        facts = json.loads(path.read_text())
        tape = cls()
        tape.versions, tape.env, tape.now = facts["versions"], facts["env"], facts["now"]
        tape.answers = {key: deque(_raw(answer) for answer in found) for key, found in facts["answers"].items()}
        return tape


def _key(purpose: str, words: tuple[Any, ...]) -> str:
    return " | ".join([purpose, *(_plain(word) if isinstance(word, bytes) else str(word) for word in words)])


def _plain(answer: Any) -> Any:
    """Bytes as text: every answer is bytes, numbers, nothing, and lists of them."""
    if isinstance(answer, list):
        return [_plain(item) for item in answer]
    return answer.decode("utf-8", "surrogateescape") if isinstance(answer, bytes) else answer


def _raw(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_raw(item) for item in answer]
    return answer.encode("utf-8", "surrogateescape") if isinstance(answer, str) else answer


class _Pipeline:
    def __init__(self, client: TapedClient) -> None:
        self.client = client
        self.commands: list[tuple[Any, ...]] = []

    def execute_command(self, *words: Any) -> None:
        self.commands.append(words)

    def execute(self, raise_on_error: bool) -> list[Any]:
        assert not raise_on_error
        return self.client.answers(self.commands)


class TapedClient:
    """As much of redis.Redis as the exporter uses; records with a ``real`` client, plays without."""

    def __init__(self, tape: Tape, purpose: str, real: Client | None) -> None:
        self.tape = tape
        self.purpose = purpose
        self.real = real

    def execute_command(self, *words: Any) -> Any:
        [answer] = self.answers([words])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pipeline(self, transaction: bool) -> _Pipeline:
        assert not transaction
        return _Pipeline(self)

    def close(self) -> None:
        if self.real is not None:
            self.real.close()

    def answers(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        if self.real is None:
            return [self.tape.take(self.purpose, words) for words in commands]
        pipe = self.real.pipeline(transaction=False)
        for words in commands:
            pipe.execute_command(*words)
        found = list(pipe.execute(raise_on_error=False))
        for words, answer in zip(commands, found, strict=True):
            self.tape.put(self.purpose, words, answer)
        return found


class TapedSource(RedisSource):
    """The exporter's source, on a tape."""

    def __init__(self, tape: Tape, env: dict[str, str], *, record: bool) -> None:
        super().__init__(load(env))
        self.tape = tape
        self.record = record
        self._taped: dict[str, TapedClient] = {}

    def client(self, host: str, port: int, purpose: str) -> Client:
        name = f"{purpose} {host}:{port}" if self.cluster else purpose
        if name not in self._taped:
            real = super().client(host, port, purpose) if self.record else None
            self._taped[name] = TapedClient(self.tape, name, real)
        return self._taped[name]

    def now(self) -> float:
        return self.tape.now


def site_on(tape: Tape, env: dict[str, str], *, record: bool) -> Site:
    """A site whose Redis is the tape."""
    site = Site(load(env))
    site.__dict__["redis"] = TapedSource(tape, env, record=record)
    return site


def look(*followers: Follower) -> None:
    """One step of each background reader, in order."""
    for follower in followers:
        follower.attempt()
        assert follower.error == "", follower.error


def before(site: Site) -> None:
    """What the exporter does when it starts, before anything happens in the queues."""
    look(site.keyspace, site.tail)


def after(site: Site) -> None:
    """What it reads in the background afterwards; the moments are made those of the tape."""
    look(site.keyspace, site.clients, site.stalled, *[site.tail] * READS_AFTER)
    for follower in (site.keyspace, site.clients, site.stalled, site.tail):
        follower.last_success = site.redis.now()


def collectors(site: Site) -> dict[str, Collector]:
    """The collectors that Redis feeds, not started, in the order in which they look."""
    return {name: TABLE[name][1](site) for name in FED_BY_REDIS}
