"""Limits as the app resolves them, the ranking, the waits for admission, and the counters of a model Redis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.exceptions import NoPermissionError, ResponseError
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.capacity.admission import GRACE_SECONDS, MAX_RUNS, Admissions, AdmissionSink
from supercheck_exporter.capacity.limits import FALLBACK, Limits, Organization, Policy, Use, pressure
from supercheck_exporter.capacity.ranking import OTHER, rank
from supercheck_exporter.capacity.use import PATTERN, WINDOW, UseReader
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.core import SourceError

NOW = datetime(2026, 11, 24, 12)
PLANS = {"plus": Limits(5, 50), "pro": Limits(10, 100), "unlimited": Limits(999, 9999)}
TIERS = {"pro": Limits(1, 1), "enterprise": Limits(20, 200)}


def organization(
    plan: str = "pro", status: str = "active", ends: datetime | None = None, slug: str = ""
) -> Organization:
    return Organization("id", slug, plan, status, ends)


@pytest.mark.parametrize(
    ("policy", "who", "expected"),
    [
        # a self-hosted site: the settings, one of which completes the other by the code's own number
        (Policy(False, 1, 10, PLANS), organization(), Limits(1, 10)),
        (Policy(False, 2, None, PLANS), organization(), Limits(2, 50)),
        (Policy(False, None, 7, PLANS), None, Limits(5, 7)),
        (Policy(False, 0, None, None), None, Limits(0, 50)),
        # else its plan is `unlimited`, whatever the organization's row says
        (Policy(False, plans=PLANS), organization("plus"), Limits(999, 9999)),
        (Policy(False, plans={}), organization(), FALLBACK),
        (Policy(False, plans=PLANS), None, FALLBACK),
        # the cloud: the plan's row, as long as it is paid for; the settings do not matter there
        (Policy(True, 1, 1, PLANS, TIERS), organization("pro"), Limits(10, 100)),
        (Policy(True, plans=PLANS), organization("plus", "past_due"), Limits(5, 50)),
        (Policy(True, plans=PLANS), organization("pro", "canceled", NOW + timedelta(1)), Limits(10, 100)),
        (Policy(True, plans=PLANS), organization("pro", "canceled", NOW - timedelta(1)), FALLBACK),
        (Policy(True, plans=PLANS), organization("pro", "canceled"), FALLBACK),
        (Policy(True, plans=PLANS), organization("", "none"), FALLBACK),
        (Policy(True, plans=PLANS, tiers=TIERS), organization("enterprise"), Limits(20, 200)),
        (Policy(True, plans=PLANS, tiers=TIERS), organization("gold"), FALLBACK),
        (Policy(True, plans=PLANS), None, FALLBACK),
        # nobody can know
        (Policy(True, 1, 1, None, TIERS), None, None),
        (Policy(False), None, None),
    ],
)
def test_limits(policy: Policy, who: Organization | None, expected: Limits | None) -> None:
    assert policy.limits(who, NOW) == expected


def test_pressure_is_the_larger_of_the_two_and_knows_a_limit_of_none() -> None:
    assert pressure(5, 10, Limits(10, 100)) == 0.5
    assert pressure(1, 90, Limits(10, 100)) == 0.9
    assert pressure(3, 0, Limits(0, 0)) == 3
    assert pressure(5, 0, None) == 1


def test_settings() -> None:
    settings = load(
        {"CAPACITY_TIERS": "free = 1/5 , pro=5/50", "POLAR_ACCESS_TOKEN": "tok-91", "RUNNING_CAPACITY": "0"}
    )
    assert settings.capacity_tiers == {"free": Limits(1, 5), "pro": Limits(5, 50)}
    assert settings.cloud
    assert settings.running_capacity == 0
    assert "tok-91" not in repr(settings)
    assert not load({"POLAR_ACCESS_TOKEN": "word", "SELF_HOSTED": "true"}).cloud
    assert not load({}).cloud


@pytest.mark.parametrize("text", ["free", "free=1", "=1/5", "free=1/x", "free=-1/5", "free=1/5/6"])
def test_bad_tiers_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"CAPACITY_TIERS: read .*, allowed is plan=running/queued"):
        load({"CAPACITY_TIERS": text})


def test_the_fullest_are_shown_and_the_rest_is_summed() -> None:
    uses = {"a": Use(1, 0), "b": Use(0, 90, 5000.0), "c": Use(9, 0), "d": Use(1, 2, 4000.0)}
    known = {"b": organization("pro", slug="bee")}
    ranking = rank(uses, {"c": 8, "a": 1, "e": 1}, known, lambda _: Limits(10, 100), 2)
    assert [(s.organization, s.plan, s.use, s.runs) for s in ranking.shown] == [
        ("bee", "pro", Use(0, 90, 5000.0), 0),
        ("c", "unknown", Use(9, 0), 8),
        (OTHER, OTHER, Use(2, 2, 4000.0), 2),
    ]
    assert ranking.shown[-1].limits is None
    assert ranking.at_queue_limit == 0


def test_rows_without_a_counter_rank_too() -> None:
    ranking = rank({"a": Use(3, 0)}, {"b": 9}, {}, lambda _: Limits(10, 100), 1)
    assert ranking.shown[0].organization == "b"


def test_slugs_that_others_have_are_replaced_by_ids() -> None:
    known = {
        name: organization(slug=slug) for name, slug in (("a", "x"), ("b", "x"), ("c", "other"), ("d", ""), ("e", "a"))
    }
    ranking = rank(dict.fromkeys(known, Use(1, 1)), None, known, lambda _: None, 9)
    assert sorted(shown.organization for shown in ranking.shown) == ["a", "b", "c", "d", "e"]
    assert {shown.runs for shown in ranking.shown} == {None}


def test_how_many_are_at_their_limit_is_unknown_where_a_limit_is() -> None:
    uses = {"a": Use(0, 100), "b": Use(5, 0)}
    limits = {"a": Limits(10, 100), "b": None}
    assert rank(uses, None, {}, limits.get, 1).at_queue_limit == 1
    assert rank({**uses, "b": Use(5, 1)}, None, {}, limits.get, 1).at_queue_limit is None


def test_a_wait_is_from_parked_to_added() -> None:
    admissions = Admissions()
    admissions.park({b"one": 1000.0, b"two": 1000.0}, 0.0)
    admissions.apply([(4000, b"waiting", b"one"), (5000, b"added", b"one"), (9000, b"added", b"stranger")])
    admissions.apply([(6000, b"added", b"one")])  # only once
    value = admissions.value()
    assert (value.cumulative[-1], value.total) == (1, 4.0)
    assert not admissions.holds(b"one")
    assert admissions.holds(b"two")


def test_the_event_may_come_after_the_look_but_not_for_ever() -> None:
    admissions = Admissions()
    admissions.park({b"one": 1000.0, b"two": 1000.0}, 0.0)
    admissions.park({}, GRACE_SECONDS - 1)
    admissions.apply([(500, b"added", b"one")])  # the app's clock is ahead: never below 0
    assert admissions.value().total == 0
    assert admissions.value().cumulative[-1] == 1
    admissions.park({}, GRACE_SECONDS + 1)
    assert not admissions.holds(b"two")


def test_only_so_many_runs_are_remembered() -> None:
    admissions = Admissions()
    admissions.park({str(number).encode(): 0.0 for number in range(MAX_RUNS + 5)}, 0.0)
    assert not admissions.holds(b"4")
    assert admissions.holds(b"5")


def test_the_first_taker_of_the_events_gets_everything() -> None:
    taken: list[Any] = []
    sink = SimpleNamespace(
        backfill=lambda *a: taken.append(a), apply=lambda *a: taken.append(a),
        lost=lambda *a: taken.append(a), forget=lambda *a: taken.append(a),
    )  # fmt: skip
    admissions = Admissions()
    admissions.park({b"one": 0.0}, 0.0)
    between = AdmissionSink(cast("Any", sink), admissions)
    between.backfill("q", [(1, b"added", b"one")])
    between.apply("q", iter([(2000, b"added", b"one")]))
    between.lost("q", 3, 1.0)
    between.forget("q")
    assert taken == [("q", [(1, b"added", b"one")]), ("q", [(2000, b"added", b"one")]), ("q", 3, 1.0), ("q",)]
    assert admissions.value().total == 2.0  # what was backfilled is past


class Model:
    """A keyspace and its Redis: keys to answers."""

    def __init__(self, keys: dict[bytes, Any]) -> None:
        self.keys = keys
        self.source = self
        self.where = "redis:6379"
        self.error = ""
        self.asked: list[tuple[Any, ...]] = []

    def require_first_walk(self) -> None:
        """The walk is over."""

    def keys_like(self, pattern: str) -> tuple[bytes, ...]:
        assert pattern == PATTERN
        return tuple(self.keys)

    def read(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        self.asked += commands
        return [self._answer(*command) for command in commands]

    def _answer(self, command: str, key: bytes, *words: Any) -> Any:
        value = self.keys[key]
        if isinstance(value, Exception):
            return value
        if command == "GET":
            return value
        if command == "ZCARD":
            return len(value)
        ordered = sorted(value.items(), key=lambda item: item[1])[words[0] : words[1] + 1]
        return [part for member, score in ordered for part in (member, str(score).encode())]


def reader(keys: dict[bytes, Any]) -> tuple[UseReader, Admissions, Model]:
    admissions, model = Admissions(), Model(keys)
    return UseReader(cast("Keyspace", model), admissions), admissions, model


def test_the_counters_of_every_organization() -> None:
    uses, admissions, _ = reader({
        b"capacity:running:a": b"3",
        b"capacity:running:gone": None,
        b"capacity:running:bad": b"three",
        b"capacity:running:minus": b"-2",
        b"capacity:queued:a": {b"r2": 2000, b"r1": 1000},
        b"capacity:queued:b": {b"r3": 500},
        b"capacity:queued:odd": ResponseError("WRONGTYPE Operation against a key"),
    })  # fmt: skip
    assert uses.step() == 5.0
    assert uses.uses["a"] == Use(3, 2, 1000.0)
    assert uses.uses["b"] == Use(0, 1, 500.0)
    assert {uses.uses[name].running for name in ("gone", "bad", "minus", "odd")} == {0}
    assert uses.partly == frozenset()
    assert all(admissions.holds(run) for run in (b"r1", b"r2", b"r3"))


def test_of_a_long_list_only_the_oldest_ids_are_read() -> None:
    many = {f"run-{number}".encode(): number for number in range(WINDOW + 1)}
    uses, admissions, _ = reader({b"capacity:queued:a": many, b"capacity:queued:b": {b"short": 1}})
    uses.step()
    assert uses.uses["a"].queued == WINDOW + 1
    assert uses.partly == {"a"}
    assert admissions.holds(b"run-0")
    assert not admissions.holds(f"run-{WINDOW}".encode())


@pytest.mark.promise("privacy")
def test_nothing_but_the_two_kinds_of_counters_is_asked_for() -> None:
    uses, _, model = reader({
        b"capacity:running:a": b"3", b"capacity:queued:a": {b"r": 1}, b"capacity:rqu:x": b"", b"capacity:job:r": b"",
    })  # fmt: skip
    uses.step()
    assert {key for _, key, *_ in model.asked} == {b"capacity:running:a", b"capacity:queued:a"}


def test_a_user_who_may_not_read_them_is_told() -> None:
    uses, _, _ = reader({b"capacity:running:a": NoPermissionError("No permissions to access a key")})
    with pytest.raises(SourceError, match="redis:6379 refuses a read of capacity's keys"):
        uses.step()
