"""Recorded answers of S3 servers, and the collectors of the object store that read them.

`PYTHONPATH=tests:exporters python -m golden.tape_s3` records them anew: listings of versitygw, classes and lifecycle
rules of moto.
"""

from __future__ import annotations

import importlib.metadata
import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from servers.s3 import BUCKETS, MotoServer, VersityServer
from supercheck_exporter.collectors.s3 import S3Collector
from supercheck_exporter.collectors.s3_lifecycle import S3LifecycleCollector
from supercheck_exporter.config import load
from supercheck_exporter.core import Collector
from supercheck_exporter.sources.s3 import S3Source
from supercheck_exporter.storage.buckets import Bucket, watched
from supercheck_exporter.storage.classes import AWS_PRICES, AWS_TIERS
from supercheck_exporter.storage.listing import Figures, Listing
from supercheck_exporter.storage.listings import Listings
from supercheck_exporter.storage.probe import Operations, Outcome
from supercheck_exporter.storage.readers import Storage
from supercheck_exporter.storage.rules import RulesReader
from supercheck_exporter.storage.states import States
from supercheck_exporter.storage.tally import DAY, Tally

PATH = Path(__file__).with_name("answers_s3.json")
OLD, EMPTY, COLD = BUCKETS[0], BUCKETS[1], BUCKETS[2]
CALLS = ("list_objects_v2", "list_multipart_uploads", "get_bucket_lifecycle_configuration")
SECRET = {"S3_ENDPOINT": "http://recorded", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


def record() -> None:
    """Write the answers of servers of this machine."""
    answers: dict[str, Any] = {}
    with VersityServer(buckets=(OLD, EMPTY)) as real:
        for age in (1, 10, 40, 100):
            real.put(OLD, f"run-{age}/report/index.html", 200_000, age=age * DAY)
        real.put(OLD, "run-100/report/small.png", 1000, age=100 * DAY)
        real.client().create_multipart_upload(Bucket=OLD, Key="run-1/report/video.webm")
        _ask(real.exporter_env(), (OLD, EMPTY), CALLS[:2], answers)
    with MotoServer(buckets=(COLD, OLD, EMPTY)) as moto:
        moto.client().put_object(Bucket=COLD, Key="run/report/index.html", Body=b"x" * 500, StorageClass="GLACIER_IR")
        rule = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}
        moto.client().put_bucket_lifecycle_configuration(Bucket=COLD, LifecycleConfiguration={"Rules": [rule]})  # type: ignore[list-item]
        _ask(moto.exporter_env(), (COLD,), CALLS, answers)
    versions = {"versitygw": "1.8.0", "moto": importlib.metadata.version("moto")}
    text = json.dumps({"versions": versions, "answers": answers}, indent=1, sort_keys=True, default=_iso)
    PATH.write_text(text + "\n", encoding="utf-8")


def _ask(env: dict[str, str], buckets: tuple[str, ...], calls: tuple[str, ...], answers: dict[str, Any]) -> None:
    source = S3Source(load(env))
    for bucket in buckets:
        for call in calls:
            answer = dict(source.call(call, Bucket=bucket))
            del answer["ResponseMetadata"]
            answers[f"{call} {bucket}"] = answer
    source.close()


def _iso(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()


class Player:
    """A source that gives the recorded answers."""

    server = ""

    def __init__(self) -> None:
        self._answers = json.loads(PATH.read_text(encoding="utf-8"), object_hook=_times)["answers"]

    def call(self, operation: str, **parameters: Any) -> Any:
        """What the server said to this question about this bucket."""
        return self._answers[f"{operation} {parameters['Bucket']}"]


def _times(found: dict[str, Any]) -> dict[str, Any]:
    return {
        key: datetime.fromisoformat(value) if key in ("LastModified", "Initiated") else value
        for key, value in found.items()
    }


def collectors() -> dict[str, Collector]:
    """Both, a day after the newest object; one bucket is missing, one is being listed."""
    player = cast(S3Source, Player())
    buckets = [bucket for bucket in watched(load(SECRET)) if bucket.name in (OLD, EMPTY, COLD)]
    newest = max(item["LastModified"] for item in player.call("list_objects_v2", Bucket=OLD)["Contents"])
    now = newest.timestamp() + DAY
    figures = {bucket.name: _figures(player, bucket, now) for bucket in buckets}
    operations = Operations(("list", "put"))
    for seconds in (0.004, 0.03, 2.0, 2.1):
        operations.answered("list", seconds)
    operations.failed("put")
    states = States()
    for name in figures:
        states.well(name)
    listings = SimpleNamespace(
        states=states,
        interval=3600.0,
        succeeded=lambda: {name: each.at for name, each in figures.items()},
        began=lambda: {OLD: now},
        figures=lambda: figures,
    )
    probe = SimpleNamespace(
        operations=operations,
        outcome=Outcome(True),
        first_success=SimpleNamespace(wait=lambda _: True),
        require_fresh=lambda *_: None,
    )
    rules = RulesReader(player, tuple(bucket for bucket in buckets if bucket.name == COLD))
    rules.attempt()
    storage = SimpleNamespace(
        probe=probe, probe_max_age=1.0, listings=cast(Listings, listings), rules=rules, prices=AWS_PRICES
    )
    return {
        "s3": S3Collector(cast(Storage, storage)),
        "s3_lifecycle": S3LifecycleCollector(cast(Storage, storage)),
    }


def _figures(source: S3Source, bucket: Bucket, now: float) -> Figures:
    listing = Listing(bucket, AWS_TIERS)
    listing.tally = Tally(now, AWS_TIERS)
    while not listing.done:
        request = listing.take()
        assert request is not None
        answer = listing.page(source, request)
        listing.release(request)
        listing.fold(request, answer)
    figures = listing.figures()
    return Figures(figures.tally, figures.uploads, 1.5, now)


if __name__ == "__main__":
    record()
