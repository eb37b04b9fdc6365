"""Sums, prices and rules of the object store, without one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from supercheck_exporter.collectors.s3_lifecycle import optimal_dollars
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.storage.buckets import watched
from supercheck_exporter.storage.classes import (
    AWS_PRICES,
    AWS_TIERS,
    GIB,
    NO_PRICES,
    OWN_TIERS,
    SMALL_BYTES,
    billed,
    monthly_dollars,
    stay_factors,
)
from supercheck_exporter.storage.plan import BucketPlan, fingerprint, refusals, wanted_rules
from supercheck_exporter.storage.tally import DAY, Tally

NOW = 1_800_000_000.0
BIG = 10 * SMALL_BYTES


def tally(*objects: tuple[float, int, str | None], tiers: Any = AWS_TIERS) -> Tally:
    """Objects by (age in days, size, class)."""
    made = Tally(NOW, tiers)
    for age, size, name in objects:
        made.add(size, datetime.fromtimestamp(NOW - age * DAY, UTC), name)
    return made


def test_ages_have_their_edges() -> None:
    made = tally((0, 1, None), (6.99, 2, None), (7, 4, None), (29.99, 8, None), (30, 16, None), (90, 32, None))
    assert made.ages == {"0_7d": 3, "7_30d": 12, "30_90d": 16, "over_90d": 32}


def test_a_clock_that_is_behind_makes_no_negative_age() -> None:
    assert tally((-1, 5, None)).ages["0_7d"] == 5


@pytest.mark.parametrize(
    ("age", "size", "name", "expected"),
    [
        (10, BIG, "STANDARD", None),
        (30.5, BIG, "STANDARD", None),  # S3 looks once a day
        (31, BIG, "STANDARD", "GLACIER_IR"),
        (31, BIG, None, "GLACIER_IR"),
        (31, SMALL_BYTES - 1, "STANDARD", None),  # no rule moves it
        (31, SMALL_BYTES, "STANDARD", "GLACIER_IR"),
        (31, BIG, "STANDARD_IA", "GLACIER_IR"),
        (31, BIG, "GLACIER_IR", None),
        (31, BIG, "DEEP_ARCHIVE", None),  # deeper already
        (31, BIG, "SOMETHING_NEW", None),  # nobody knows how deep
        (91, BIG, "DEEP_ARCHIVE", "EXPIRE"),
        (91, 1, "STANDARD", "EXPIRE"),  # what is deleted may be small
    ],
)
def test_where_an_object_should_be(age: float, size: int, name: str | None, expected: str | None) -> None:
    misplaced = tally((age, size, name)).misplaced
    assert misplaced == {"GLACIER_IR": 0, "EXPIRE": 0} | ({expected: size} if expected else {})


def test_without_tiers_nothing_is_misplaced() -> None:
    made = tally((400, BIG, "STANDARD"), tiers={})
    assert made.misplaced == {}
    assert made.best == made.billed == {"STANDARD": BIG}


def test_unknown_classes_are_one() -> None:
    made = tally((1, 1, "COLD-A"), (1, 2, "COLD-B"))
    assert made.objects == {"STANDARD": 0, "other": 2}
    assert made.bytes == {"STANDARD": 0, "other": 3}


def test_what_is_billed() -> None:
    assert billed("STANDARD", 5) == {"STANDARD": 5}
    assert billed("GLACIER_IR", 5) == {"GLACIER_IR": SMALL_BYTES}
    assert billed("DEEP_ARCHIVE", 5) == {"DEEP_ARCHIVE": 5 + 32 * 1024, "STANDARD": 8 * 1024}
    assert billed("other", 5) == {"other": 5}


def test_dollars() -> None:
    assert monthly_dollars({"STANDARD": 100 * GIB, "GLACIER_IR": 50 * GIB}, AWS_PRICES) == pytest.approx(2.3 + 0.2)
    assert monthly_dollars({"STANDARD": GIB}, NO_PRICES) == 0
    assert monthly_dollars({}, AWS_PRICES) == 0
    # unknown is no zero; but nothing of an unknown price costs nothing
    assert monthly_dollars({"other": 1}, AWS_PRICES) is None
    assert monthly_dollars({"other": 0}, AWS_PRICES) == 0


def test_the_optimum_counts_the_days_that_a_class_bills() -> None:
    assert stay_factors(AWS_TIERS) == {"GLACIER_IR": 1.5}
    assert stay_factors({"GLACIER_IR": 30, "EXPIRE": 400}) == {"GLACIER_IR": 1}
    made = tally((40, GIB, "STANDARD"), (1, GIB, "STANDARD"), (100, GIB, "STANDARD"))
    assert optimal_dollars(made, AWS_PRICES, AWS_TIERS) == pytest.approx(0.023 + 1.5 * 0.004)
    assert made.moves == {"GLACIER_IR": 1}


AWS = {"S3_ENDPOINT": "https://s3.eu-central-1.amazonaws.com"}
OWN = {"S3_ENDPOINT": "http://minio:9000"}


def test_prices_and_tiers_are_amazon_s_there_and_nothing_elsewhere() -> None:
    assert (load(AWS).storage_prices, load(AWS).storage_tiers) == (AWS_PRICES, AWS_TIERS)
    assert (load(OWN).storage_prices, load(OWN).storage_tiers) == (NO_PRICES, OWN_TIERS)
    assert load({"S3_ENDPOINT": "http://amazonaws.com.example.com"}).storage_prices == NO_PRICES
    settings = load(OWN | {"S3_PRICES": "STANDARD=0.015", "S3_LIFECYCLE_TIERS": "EXPIRE=365,DEEP_ARCHIVE=100"})
    assert settings.storage_prices == {"STANDARD": 0.015}
    assert list(settings.storage_tiers.items()) == [("DEEP_ARCHIVE", 100), ("EXPIRE", 365)]


@pytest.mark.parametrize(
    "bad",
    [
        {"S3_PRICES": "COLD=1"},
        {"S3_PRICES": "STANDARD=-1"},
        {"S3_PRICES": "STANDARD"},
        {"S3_LIFECYCLE_TIERS": "EXPIRE=0"},
        {"S3_LIFECYCLE_TIERS": "GLACIER=30,EXPIRE=30"},
        {"S3_LIFECYCLE_TIERS": "GLACIER=1.5"},
        {"S3_LIFECYCLE_TIERS": "STANDARD=10"},
        {"S3_LISTING_INTERVAL_SECONDS": "0"},
        {"S3_ENDPOINT": "minio:9000"},
    ],
)
def test_bad_settings_are_named(bad: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(OWN | bad)
    (sentence,) = caught.value.problems
    assert sentence.startswith(f"{next(iter(bad))}: read ")


def test_a_bucket_with_two_meanings_is_kept() -> None:
    buckets = watched(load(OWN | {"S3_STATUS_BUCKET_NAME": "one", "S3_JOB_BUCKET_NAME": "one"}))
    assert [bucket.name for bucket in buckets].count("one") == 1
    assert {bucket.name: bucket.artifacts for bucket in buckets}["one"] is False
    assert len(buckets) == 7


def test_skipped_buckets_are_not_watched() -> None:
    buckets = watched(load(OWN | {"S3_SKIPPED_BUCKETS": "k6-job-artifacts, project-data-files"}))
    assert {"k6-job-artifacts", "project-data-files"} & {bucket.name for bucket in buckets} == set()
    assert len(buckets) == 6


def test_refusals() -> None:
    assert refusals(AWS_TIERS) == refusals(OWN_TIERS) == []
    assert refusals({"STANDARD_IA": 30, "GLACIER_IR": 60, "EXPIRE": 61}) == []
    assert len(refusals({"STANDARD_IA": 29, "GLACIER_IR": 30})) == 2
    assert len(refusals({"ONEZONE_IA": 0})) == 1


def test_minio_gets_no_rule_about_uploads() -> None:
    assert [rule["ID"] for rule in wanted_rules(OWN_TIERS, "MinIO")] == ["supercheck-exporter-tiers"]
    assert len(wanted_rules(OWN_TIERS, "")) == 2


def plan(current: list[dict[str, Any]]) -> BucketPlan:
    return BucketPlan("b", current, None, wanted_rules(AWS_TIERS, ""))


def test_a_rule_in_the_form_of_another_server_is_the_same_rule() -> None:
    mine = wanted_rules(AWS_TIERS, "")
    older = [{key: value for key, value in rule.items() if key != "Filter"} | {"Prefix": ""} for rule in mine]
    bare = [rule | {"Filter": {}} for rule in mine]
    assert not plan(mine).changes
    assert not plan(older).changes
    assert not plan(bare).changes
    assert plan([mine[0] | {"Filter": {"Prefix": "only/"}}, mine[1]]).changes


def test_a_plan_s_name_is_of_the_rules_as_they_are() -> None:
    mine = wanted_rules(AWS_TIERS, "")
    other = {"ID": "x", "Status": "Enabled", "Expiration": {"Days": 1}}
    names = {fingerprint([plan(current)]) for current in ([], mine, [other], [other | {"Status": "Disabled"}])}
    assert len(names) == 4
    assert fingerprint([plan([other])]) == fingerprint([plan([dict(other)])])
