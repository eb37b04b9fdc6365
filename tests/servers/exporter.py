"""The real exporter as a child process, and its page as numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from servers.process import Server, free_port, wait_for
from servers.redis import LOOPBACK

HTTP_SECONDS = 30.0


@dataclass(frozen=True)
class Histogram:
    """One histogram series: count and sum of seconds, and the cumulative count by upper edge."""

    count: float
    total: float
    buckets: Mapping[float, float]


Series = dict[frozenset[tuple[str, str]], float]


class Samples:
    """One scrape. A family is parsed when it is first asked for: most tests ask for a few of many."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._blocks = {block.split(" ", 1)[0]: block for block in f"\n{text}".split("\n# HELP ")[1:]}
        self._parsed: dict[str, dict[str, Series]] = {}

    def _series(self, name: str) -> Series:
        for family in (name, *(name.removesuffix(end) for end in ("_bucket", "_count", "_sum"))):
            if family in self._blocks:
                return self._family(family).get(name, {})
        return {}

    def _family(self, name: str) -> dict[str, Series]:
        if name not in self._parsed:
            found = self._parsed[name] = {}
            for family in text_string_to_metric_families(f"# HELP {self._blocks[name]}\n"):
                for sample in family.samples:
                    series = found.setdefault(sample.name, {})
                    key = frozenset(sample.labels.items())
                    assert key not in series, f"{sample.name}{sample.labels} stands twice on the page"
                    series[key] = sample.value
        return self._parsed[name]

    @property
    def names(self) -> set[str]:
        """The names of the families, as their HELP lines give them."""
        return set(self._blocks)

    def _matching(self, name: str, labels: Mapping[str, str]) -> Iterator[tuple[frozenset[tuple[str, str]], float]]:
        wanted = labels.items()
        return ((key, value) for key, value in self._series(name).items() if wanted <= key)

    def value(self, name: str, **labels: str) -> float | None:
        """The one series with these labels (perhaps among others); None when there is none."""
        found = list(self._matching(name, labels))
        assert len(found) < 2, f"{name}{labels} is {len(found)} series"
        return found[0][1] if found else None

    def labels(self, name: str, **labels: str) -> list[dict[str, str]]:
        """The labels of every series of that name that has these labels."""
        return [dict(key) for key, _ in self._matching(name, labels)]

    def values(self, name: str, by: str, **labels: str) -> dict[str, float]:
        """The series of that name as {value of the label `by`: number}."""
        return {dict(key)[by]: value for key, value in self._matching(name, labels)}

    def histogram(self, name: str, **labels: str) -> Histogram | None:
        """One histogram series; None when there is none."""
        count = self.value(f"{name}_count", **labels)
        total = self.value(f"{name}_sum", **labels)
        if count is None or total is None:
            return None
        edges = self._matching(f"{name}_bucket", labels)
        return Histogram(count, total, {float(dict(key)["le"]): value for key, value in edges})

    def __len__(self) -> int:
        return sum(len(series) for name in self._blocks for series in self._family(name).values())


PROGRAM = Path(sys.executable).parent / "supercheck-exporter"


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Only these settings, and what any program needs."""
    base = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "PYTHONUNBUFFERED": "1"}
    if "PYTHONPATH" in os.environ:
        base["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return base | dict(settings)


def run_cli(*args: str, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run another command of the exporter to its end; standard error is part of its output."""
    return subprocess.run(
        [PROGRAM, *args],
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HTTP_SECONDS,
    )


class Exporter(Server):
    """`supercheck-exporter serve` with only the given settings in its environment."""

    name = "exporter"

    def __init__(self, env: Mapping[str, str], *args: str) -> None:
        super().__init__(env=environment(env))
        self.args = args
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._session = requests.Session()

    def command(self) -> list[str | Path]:
        """The installed console script, on a free port."""
        return [PROGRAM, "serve", "--listen", f"{LOOPBACK}:{self.port}", *self.args]

    def ready(self) -> bool:
        """Serves HTTP."""
        return self.get("/-/healthy").status_code == 200

    def get(self, path: str, timeout: float = HTTP_SECONDS, **headers: str) -> requests.Response:
        """GET a path without following redirections."""
        return self._session.get(self.url + path, timeout=timeout, headers=headers, allow_redirects=False)

    def page(self, path: str) -> str:
        """The text of a page that must answer 200."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path} answered {answer.status_code}: {answer.text[:500]}"
        return answer.text

    def scrape(self, *collectors: str, deadline: float = 10.0) -> Samples:
        """Scrape as Prometheus does, with its deadline in seconds; only some collectors if named."""
        query = "&".join(f"collect[]={name}" for name in collectors)
        answer = self._session.get(
            f"{self.url}/metrics" + (f"?{query}" if query else ""),
            timeout=deadline,  # as Prometheus does: a page that comes later is no page
            headers={"X-Prometheus-Scrape-Timeout-Seconds": str(deadline)},
        )
        assert answer.status_code == 200, f"/metrics answered {answer.status_code}: {answer.text[:500]}"
        return Samples(answer.text)

    def wait_value(self, value: float | None, name: str, timeout: float = 60.0, **labels: str) -> Samples:
        """Scrape until a series has this value (None: is absent); return that scrape."""
        last: list[float | None] = []

        def matches() -> Samples | None:
            samples = self.scrape()
            last[:] = [samples.value(name, **labels)]
            return samples if last == [value] else None

        try:
            return wait_for(matches, timeout, f"{name}{labels} is {value}")  # type: ignore[return-value]
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last[0]}") from None

    def wait_log(self, text: str, timeout: float = 60.0) -> None:
        """Wait until its log holds a text."""
        wait_for(lambda: text in self.log(), timeout, f"it logs {text!r}")

    def wait_failed(self, *names: str, deadline: float = 10.0) -> Samples:
        """Scrape until just these collectors fail, or none; one that reads in the background needs a while."""

        def just_these() -> Samples | None:
            samples = self.scrape(deadline=deadline)
            worked = samples.values("supercheck_scrape_collector_success", by="collector")
            return samples if {name for name, success in worked.items() if not success} == set(names) else None

        return wait_for(just_these, 60, f"just these fail: {', '.join(names)}")  # type: ignore[return-value]

    def wait_follows(self) -> None:
        """Wait until it reads the events streams; what happens in the queues from now on is counted."""
        name = "supercheck_queue_events_last_success_timestamp_seconds"
        wait_for(lambda: self.scrape("queue_events").value(name), 60.0, "it follows the events streams")

    def threads(self) -> int:
        """Threads of the process now."""
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def descriptors(self) -> int:
        """Open files and sockets of the process now."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def stop(self) -> None:
        """End it at once; `terminate()` is the graceful way, which waits for reads in flight."""
        self._session.close()
        if self.process is not None:
            self.kill()
        super().stop()
