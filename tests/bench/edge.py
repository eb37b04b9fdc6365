"""What the edge spares, and how much sooner a report is there: a known mix, before an app with a slow store."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass

from servers.fake_app import PAUSE_SECONDS, FakeApp
from servers.nginx import Edge

REPORTS, VIEWS = 30, 20


@dataclass(frozen=True)
class Mix:
    """Of `requests`, so many `reads` of the object store; medians in seconds."""

    requests: int
    reads: int
    hit: float
    miss: float
    direct: float
    pause: float = PAUSE_SECONDS


def mix() -> Mix:
    """Show each of some reports so many times to one of three readers, in random order."""
    times: dict[str, list[float]] = {"hit": [], "miss": [], "direct": []}
    with FakeApp(slow=True) as app, Edge(app.port, {"EDGE_AUTHENTICATED_PER_MINUTE": "1000000"}) as edge:
        paths = [app.report("one", index_html=b"x" * 100_000) + "index.html" for _ in range(REPORTS)]
        readers = [app.sign_in("one") for _ in range(3)]
        views = paths * VIEWS
        random.Random(6).shuffle(views)
        for number, path in enumerate(views):
            began = time.perf_counter()
            answer = edge.get(path, readers[number % 3])
            took = time.perf_counter() - began
            assert answer.status_code == 200
            times["hit" if "hit" in answer.headers["Cache-Status"] else "miss"].append(took)
        reads = sum(app.reads.values())
        edge.url, through = f"http://127.0.0.1:{app.port}", edge.url
        for path in paths:
            began = time.perf_counter()
            edge.get(path, readers[0])
            times["direct"].append(time.perf_counter() - began)
        edge.url = through
    medians = {name: statistics.median(values) for name, values in times.items()}
    return Mix(len(views), reads, medians["hit"], medians["miss"], medians["direct"])
