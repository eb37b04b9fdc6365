"""What fails at which location: the last result of each monitor counts, for two of its intervals."""

from __future__ import annotations

import pytest
from supercheck_exporter.locations import MOST_LIFE_SECONDS, LocationChecks, Seen, Standing

NOW = 1_000_000.0
MINUTE = 60.0


def up(monitor: str, location: str, ago: float = 1.0, every: float = 300.0) -> Seen:
    return Seen(monitor, location, every, NOW - ago, None)


def down(monitor: str, location: str, ago: float = 1.0, every: float = 300.0) -> Seen:
    return Seen(monitor, location, every, None, NOW - ago)


def standing(*seen: Seen, location: str = "eu", now: float = NOW) -> Standing:
    checks = LocationChecks()
    checks.add(seen, now)
    return checks.standings([location])[location]


def failing(*, elsewhere_up: int = 0, elsewhere_down: int = 0, none: int = 0) -> dict[str, int]:
    return {"up": elsewhere_up, "down": elsewhere_down, "none": none}


def test_a_location_without_checks_is_empty_and_its_last_success_unknown() -> None:
    assert standing() == Standing(0, failing(), None)


def test_a_failing_monitor_is_told_by_what_it_does_elsewhere() -> None:
    found = standing(
        up("well", "eu"),
        down("alone", "eu"),
        down("here-only", "eu"), up("here-only", "us"), down("here-only", "asia"),
        down("everywhere", "eu"), down("everywhere", "us"),
    )  # fmt: skip
    assert found == Standing(4, failing(elsewhere_up=1, elsewhere_down=1, none=1), NOW - 1)


def test_the_last_result_counts_within_a_look_and_between_looks() -> None:
    both = Seen("a", "eu", 300, NOW - 90, NOW - 30)
    assert standing(both).failing == failing(none=1)
    assert standing(both._replace(up=NOW - 10)).failing == failing()
    checks = LocationChecks()
    for look in (up("a", "eu", 600), down("a", "eu", 300), up("a", "eu", 10)):
        checks.add([look], NOW)
    assert checks.standings(["eu"])["eu"] == Standing(1, failing(), NOW - 10)


def test_the_last_success_stays_when_its_monitor_is_forgotten() -> None:
    assert standing(up("a", "eu", 900, every=60)) == Standing(0, failing(), NOW - 900)


@pytest.mark.parametrize(
    ("every", "life"),
    [(0, 10 * MINUTE), (MINUTE, 10 * MINUTE), (15 * MINUTE, 30 * MINUTE), (1440 * MINUTE, 120 * MINUTE)],
)
def test_a_result_says_something_for_two_intervals(every: float, life: float) -> None:
    assert standing(down("a", "eu", life - 1, every)).monitors == 1
    assert standing(down("a", "eu", life, every)).monitors == 0


def test_what_was_said_elsewhere_is_forgotten_as_well() -> None:
    found = standing(down("a", "eu", 1), up("a", "us", 700))
    assert found.failing == failing(none=1)


def test_with_more_checks_than_can_be_held_nothing_is_said() -> None:
    checks = LocationChecks(most=2)
    checks.add([up(name, "eu") for name in "abc"], NOW)
    assert checks.too_many
    assert checks.standings(["eu"]) == {}
    # those that were dropped are not known again at once: a part of them would be a wrong number
    checks.add([up("a", "eu")], NOW)
    assert checks.too_many
    assert checks.standings(["eu"]) == {}
    later = NOW + MOST_LIFE_SECONDS
    checks.add([up("a", "eu")._replace(up=later)], later)
    assert not checks.too_many
    assert checks.standings(["eu"])["eu"].monitors == 1
