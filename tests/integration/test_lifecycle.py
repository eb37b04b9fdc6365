"""`lifecycle plan` and `apply` against servers with and without lifecycle rules."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from servers.exporter import run_cli
from servers.s3 import BUCKETS, MotoServer, VersityServer
from supercheck_exporter.cli import main
from supercheck_exporter.config import load
from supercheck_exporter.sources.s3 import S3Source
from supercheck_exporter.storage.buckets import watched
from supercheck_exporter.storage.lifecycle import show_saving

ARTIFACTS, KEPT = BUCKETS[:5], BUCKETS[5:]
TEST, JOB = BUCKETS[:2]
TIERS = {"S3_LIFECYCLE_TIERS": "GLACIER_IR=30,EXPIRE=90"}
PRICES = {"S3_PRICES": "STANDARD=1000,GLACIER_IR=100"}
OTHERS: Any = {
    "ID": "written-by-hand",
    "Status": "Enabled",
    "Filter": {"Prefix": "tmp/"},
    "Expiration": {"Days": 3},
}


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    """One server for the file."""
    with MotoServer() as own:
        yield own


@pytest.fixture
def server(moto: MotoServer) -> MotoServer:
    """Its buckets have no rules."""
    for bucket in BUCKETS:
        moto.client().delete_bucket_lifecycle(Bucket=bucket)
    return moto


def run(arguments: Sequence[str], settings: Mapping[str, str]) -> tuple[int, str]:
    """Exit status and output of the command, in this process: a new one takes a second to load the client library."""
    said = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        patch.setattr(os, "environ", dict(settings))
        status = main(["lifecycle", *arguments])
    return status, said.getvalue()


def lifecycle(server: MotoServer | VersityServer, *args: str, **settings: str) -> str:
    """The output of the command, which must work."""
    status, said = run(args, server.exporter_env() | TIERS | settings)
    assert status == 0, said
    return said


def refused(server: MotoServer | VersityServer, *args: str, **settings: str) -> str:
    """The output of the command, which must not."""
    status, said = run(args, server.exporter_env() | TIERS | settings)
    assert status == 2, said
    return said


def name_of(plan: str) -> str:
    """The name that a plan printed."""
    found = re.search(r"lifecycle apply (?:--remove )?(\w{12})$", plan.strip())
    assert found is not None, plan
    return found[1]


def hand_written(server: MotoServer, bucket: str, **change: Any) -> None:
    server.client().put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [OTHERS | change]}
    )


def test_plan_writes_nothing_and_apply_writes_what_it_showed(server: MotoServer) -> None:
    plan = lifecycle(server, "plan", "--no-saving")
    for bucket in ARTIFACTS:
        assert f"{bucket}:\n  + supercheck-exporter-tiers: moved to GLACIER_IR after 30 days, DELETED after 90" in plan
        assert server.rules(bucket) == []
    assert not [bucket for bucket in KEPT if bucket in plan]
    written = lifecycle(server, "apply", name_of(plan))
    assert written.splitlines() == [f"{bucket}: written" for bucket in ARTIFACTS]
    for bucket in ARTIFACTS:
        tiers, uploads = server.rules(bucket)
        assert tiers["Transitions"] == [{"Days": 30, "StorageClass": "GLACIER_IR"}]
        assert tiers["Expiration"]["Days"] == 90
        assert uploads["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert [server.rules(bucket) for bucket in KEPT] == [[], [], []]
    again = lifecycle(server, "plan", "--no-saving")
    assert "Nothing to write." in again
    assert again.count("no change") == len(ARTIFACTS)


def test_rules_of_others_stay_as_they_are(server: MotoServer) -> None:
    hand_written(server, TEST)
    (before,) = server.rules(TEST)
    plan = lifecycle(server, "plan", "--no-saving")
    assert "1 of others: not touched" in plan
    lifecycle(server, "apply", name_of(plan))
    assert len(server.rules(TEST)) == 3
    assert before in server.rules(TEST)
    removal = lifecycle(server, "plan", "--remove")
    assert removal.count("  - supercheck-exporter-tiers") == len(ARTIFACTS)
    lifecycle(server, "apply", "--remove", name_of(removal))
    assert server.rules(TEST) == [before]
    assert server.rules(JOB) == []


def test_apply_refuses_what_nobody_has_read(server: MotoServer) -> None:
    plan = name_of(lifecycle(server, "plan", "--no-saving"))
    assert "Run `supercheck-exporter lifecycle plan` again" in refused(server, "apply", "000000000000")
    # other settings, and rules that somebody wrote meanwhile
    refused(server, "apply", plan, S3_LIFECYCLE_TIERS="EXPIRE=60")
    hand_written(server, JOB)
    refused(server, "apply", plan)
    assert [len(server.rules(bucket)) for bucket in ARTIFACTS] == [0, 1, 0, 0, 0]


def test_a_rule_of_ours_is_changed_and_one_that_was_switched_off_is_seen(server: MotoServer) -> None:
    lifecycle(server, "apply", name_of(lifecycle(server, "plan", "--no-saving")))
    plan = lifecycle(server, "plan", "--no-saving", S3_LIFECYCLE_TIERS="EXPIRE=60")
    assert "  - supercheck-exporter-tiers: moved to GLACIER_IR after 30 days, DELETED after 90 days" in plan
    assert "  + supercheck-exporter-tiers: DELETED after 60 days" in plan
    tiers, uploads = server.rules(TEST)
    server.client().put_bucket_lifecycle_configuration(
        Bucket=TEST, LifecycleConfiguration={"Rules": [tiers | {"Status": "Disabled"}, uploads]}
    )
    plan = lifecycle(server, "plan", "--no-saving")
    assert "DELETED after 90 days, switched off" in plan
    assert plan.count("no change") == len(ARTIFACTS) - 1


@pytest.mark.parametrize(
    ("tiers", "sentence"),
    [
        ("STANDARD_IA=7,EXPIRE=90", "moves nothing to STANDARD_IA before 30 days, and STANDARD_IA=7 says sooner"),
        ("STANDARD_IA=30,GLACIER_IR=45", "wants 30 days between STANDARD_IA=30 and GLACIER_IR=45"),
        ("GLACIER_IR=90,STANDARD_IA=120", "S3_LIFECYCLE_TIERS: read"),
        ("EXPIRE=30,GLACIER_IR=90", "S3_LIFECYCLE_TIERS: read"),
        ("COLD=30", "S3_LIFECYCLE_TIERS: read"),
    ],
)
def test_plan_refuses_what_s3_refuses(tiers: str, sentence: str) -> None:
    """moto takes the first two; S3 does not (its guide on lifecycle transitions). Nothing is asked for it."""
    status, said = run(["plan"], {"S3_ENDPOINT": "http://127.0.0.1:1", "S3_LIFECYCLE_TIERS": tiers})
    assert status == 2
    assert sentence in said
    assert "takes no connection" not in said


def test_the_saving_of_a_known_bucket(server: MotoServer) -> None:
    """New objects save nothing; a class without a price makes a bucket's saving unknown."""
    server.client().put_object(Bucket=TEST, Key="new", Body=b"x" * 1024**2)
    server.client().put_object(Bucket=JOB, Key="cold", Body=b"x", StorageClass="DEEP_ARCHIVE")
    plan = lifecycle(server, "plan", **PRICES)
    assert f"{TEST}: 1 objects, $0.98 a month now, $0.98 with these rules" in plan
    assert f"{JOB}: its saving is not known (a class has no price)" in plan
    assert "saves $0.00 a year" in plan
    assert "GLACIER_IR bills 90 days, and objects leave it after 60" in plan


def test_without_prices_the_saving_is_not_known(server: MotoServer) -> None:
    assert "What it saves is not known: S3_PRICES says that storage costs nothing here." in lifecycle(server, "plan")


def test_the_saving_of_old_objects(capsys: pytest.CaptureFixture[str]) -> None:
    """On versitygw, where objects can be made old; it has no rules, so the sums alone are asked for."""
    gib = 1024**3
    with VersityServer() as server:
        for age in (1, 40, 100):
            server.put(TEST, f"run-{age}", gib // 1000, age=age * 86400)
        settings = load(server.exporter_env() | TIERS | PRICES | {"S3_SKIPPED_BUCKETS": ",".join(BUCKETS[2:])})
        source = S3Source(settings)
        show_saving(settings, source, list(watched(settings)))
        source.close()
        said = capsys.readouterr().out
        # 1/1000 GB each: $1 a month in STANDARD, $0.15 in GLACIER_IR with the days that it bills beyond
        assert f"{TEST}: 3 objects, $3.00 a month now, $1.15 with these rules" in said
        assert f"{gib // 1000:,} bytes are deleted at once" in said
        assert "saves $22.20 a year, and moving what is there costs $0.00 once" in said


def test_a_server_without_rules_gets_a_sentence() -> None:
    with VersityServer() as server:
        said = refused(server, "plan")
        assert "has no GetBucketLifecycleConfiguration" in said
        assert "Supercheck's own cleanup" in said


def test_without_an_object_store_there_is_nothing_to_plan() -> None:
    done = run_cli("lifecycle", "plan", settings={})
    assert done.returncode == 2
    assert "S3_ENDPOINT is not set" in done.stdout
