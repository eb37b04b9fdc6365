"""Every query of every dashboard is asked of a running stack: at rest, and with everything broken.

At rest each returns data, or stands in dashboards/empty.yaml with a reason. Broken, none fails (a join that is fine
with one alert may be refused with two), and those that only trouble fills are filled.
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests
import yaml
from contract.dashboard_facts import DASHBOARDS, ROOT
from contract.dashboard_queries import EVERYTHING, Query, load, queries
from e2e.faults import CALM
from e2e.stack import Stack
from servers.process import wait_for

# ranges as the shortened stack needs them: it scrapes every 0.75 s
VALUES = EVERYTHING | {"__range": "2m", "__rate_interval": "3s"}
RANGE_SECONDS = 120
ENOUGH_SECONDS = 90
EMPTY: dict[str, list[dict[str, Any]]] = yaml.safe_load((ROOT / "dashboards" / "empty.yaml").read_text("utf-8"))


class Asked(NamedTuple):
    """A query and the dashboard it is from."""

    uid: str
    query: Query

    def __str__(self) -> str:
        return f"{self.uid}: {self.query.panel} [{self.query.ref}]"


def every_query() -> list[Asked]:
    """Return the queries of all dashboards."""
    return [Asked(uid, query) for uid in sorted(DASHBOARDS) for query in queries(load(uid), VALUES)]


def may_be_empty(asked: Asked, *, in_trouble: bool = False) -> bool:
    """Whether the query is listed; with `in_trouble`: and not said to be filled by trouble."""
    return any(
        entry["panel"] == asked.query.panel
        and asked.query.ref in entry["queries"]
        and not (in_trouble and entry.get("in_trouble"))
        for entry in EMPTY.get(asked.uid, ())
    )


def has_data(stack: Stack, query: Query) -> bool:
    """Whether Prometheus returns at least one series; AssertionError with its text when it refuses."""
    now = time.time()
    if query.instant:
        path, parameters = "query", {"query": query.expr}
    else:
        times = {"start": str(now - RANGE_SECONDS), "end": str(now), "step": "1"}
        path, parameters = "query_range", {"query": query.expr, **times}
    answer = requests.get(f"{stack.prometheus.url}/api/v1/{path}", parameters, timeout=10)
    assert answer.ok, f"{query.panel} [{query.ref}]: {answer.text[:300]}"
    return bool(answer.json()["data"]["result"])


def all_filled(stack: Stack, wanted: list[Asked], seconds: float) -> None:
    """Wait until each wanted query has returned data once; the failure names those that have not."""
    missing = list(wanted)

    def filled() -> bool:
        missing[:] = [asked for asked in missing if not has_data(stack, asked.query)]
        return not missing

    try:
        wait_for(filled, seconds, "every query returns data")
    except AssertionError:
        pytest.fail("without data: " + "; ".join(map(str, missing)))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A site that is well and works."""
    with Stack(tmp_path_factory.mktemp("rendered"), supercheck=True, beside=True) as running:
        calm = running.site.queues[CALM]
        calm.worker("sleep", ms=200)
        calm.add_many(400)
        yield running


@pytest.fixture(scope="module")
def broken(stack: Stack) -> Stack:
    """The same site with every fault made."""
    runs = stack.site.bullmq.queue("playwright-global")
    runs.pause()
    stack.site.break_everything()
    parked = "max(supercheck_organization_queued_jobs) > 0"
    wait_for(lambda: stack.prometheus.value(parked), ENOUGH_SECONDS, "a run is parked")
    runs.resume()  # it is admitted, and its wait is known
    wait_for(lambda: len(stack.prometheus.firing(severity="critical")) > 1, ENOUGH_SECONDS, "two pages fire")
    return stack


@pytest.mark.promise("dashboards show data")
def test_at_rest_every_query_returns_data_or_has_a_reason(stack: Stack) -> None:
    all_filled(stack, [asked for asked in every_query() if not may_be_empty(asked)], ENOUGH_SECONDS)


def test_in_trouble_no_query_is_refused_and_the_rest_is_filled(broken: Stack) -> None:
    everything = every_query()
    for asked in everything:
        has_data(broken, asked.query)
    trouble = [asked for asked in everything if may_be_empty(asked) and not may_be_empty(asked, in_trouble=True)]
    assert trouble
    all_filled(broken, trouble, ENOUGH_SECONDS)
