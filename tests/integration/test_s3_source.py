"""The connection to the object store against real servers: what works, and what each error means."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from servers.exporter import run_cli
from servers.process import free_port
from servers.redis import LOOPBACK, Certificates
from servers.s3 import ACCESS_KEY, BUCKETS, SECRET_KEY, MotoServer, VersityServer
from supercheck_exporter.config import load
from supercheck_exporter.sources.s3 import S3Error, S3Source

STRANGER, STRANGERS_KEY = "somebody", "somebodys-secret-word"
BUCKET = BUCKETS[0]


@pytest.fixture(scope="module")
def server() -> Iterator[VersityServer]:
    """One with a user who may nothing."""
    with VersityServer() as own:
        own.add_user(STRANGER, STRANGERS_KEY)
        yield own


def failure(env: dict[str, str], operation: str = "list_objects_v2", bucket: str = BUCKET) -> S3Error:
    """The error of one call, which must not work."""
    source = S3Source(load(env))
    try:
        with pytest.raises(S3Error) as caught:
            source.call(operation, Bucket=bucket)
    finally:
        source.close()
    text = str(caught.value)
    for secret in (ACCESS_KEY, SECRET_KEY, STRANGER, STRANGERS_KEY):
        assert secret not in text
    return caught.value


def test_a_listing(server: VersityServer) -> None:
    server.put(BUCKET, "run/report/index.html", 7)
    source = S3Source(load(server.exporter_env()))
    (found,) = source.call("list_objects_v2", Bucket=BUCKET)["Contents"]
    assert (found["Key"], found["Size"], found["StorageClass"]) == ("run/report/index.html", 7, "STANDARD")
    assert found["LastModified"] == server.client().head_object(Bucket=BUCKET, Key=found["Key"])["LastModified"]
    assert source.where == f"{LOOPBACK}:{server.port}"
    source.close()


def test_tls_with_a_ca_of_its_own() -> None:
    with VersityServer(tls=Certificates(), buckets=BUCKETS[:1]) as server:
        source = S3Source(load(server.exporter_env()))
        assert source.call("list_objects_v2", Bucket=BUCKET)["KeyCount"] == 0
        source.close()
        env = server.exporter_env()
        del env["S3_CA_FILE"]
        error = failure(env)
        assert error.kind == "unreachable"
        assert "certificate that is not trusted" in str(error)


def test_a_missing_bucket(server: VersityServer) -> None:
    for operation in ("list_objects_v2", "head_bucket"):
        error = failure(server.exporter_env(), operation, "no-such-bucket")
        assert error.kind == "missing"
        assert "has no bucket no-such-bucket" in str(error)


@pytest.mark.parametrize("name", ["No_Bucket", "no bucket", "x"])
def test_a_name_that_no_bucket_can_have(server: VersityServer, name: str) -> None:
    assert failure(server.exporter_env(), bucket=name).kind == "missing"


def test_a_forbidden_bucket(server: VersityServer) -> None:
    error = failure(server.exporter_env(STRANGER, STRANGERS_KEY))
    assert error.kind == "forbidden"
    assert f"forbids ListObjectsV2 on {BUCKET}" in str(error)


@pytest.mark.parametrize("login", [(ACCESS_KEY, "wrong"), ("nobody", SECRET_KEY)])
def test_a_wrong_login(server: VersityServer, login: tuple[str, str]) -> None:
    error = failure(server.exporter_env(*login))
    assert error.kind == "login"
    assert "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(error)


def test_half_a_login(server: VersityServer) -> None:
    env = server.exporter_env()
    del env["AWS_SECRET_ACCESS_KEY"]
    assert "need each other" in str(failure(env))


def test_a_server_without_lifecycle_rules(server: VersityServer) -> None:
    error = failure(server.exporter_env(), "get_bucket_lifecycle_configuration")
    assert error.kind == "unsupported"
    assert "lacks this part of S3" in str(error)


def test_a_frozen_server() -> None:
    with VersityServer(buckets=BUCKETS[:1]) as server:
        server.freeze()
        error = failure(server.exporter_env() | {"S3_TIMEOUT_SECONDS": "0.5"})
        assert error.kind == "unreachable"
        assert "does not answer in time" in str(error)
        server.thaw()


def test_nothing_listens() -> None:
    env = {"S3_ENDPOINT": f"http://{LOOPBACK}:{free_port()}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    error = failure(env)
    assert error.kind == "unreachable"
    assert "takes no connection" in str(error)


def test_moto_keeps_classes_and_rules() -> None:
    with MotoServer(buckets=BUCKETS[:1]) as server:
        server.client().put_object(Bucket=BUCKET, Key="old", Body=b"x", StorageClass="GLACIER_IR")
        source = S3Source(load(server.exporter_env()))
        (found,) = source.call("list_objects_v2", Bucket=BUCKET)["Contents"]
        assert found["StorageClass"] == "GLACIER_IR"
        assert server.rules(BUCKET) == []
        assert failure(server.exporter_env(), "get_bucket_lifecycle_configuration").code == (
            "NoSuchLifecycleConfiguration"
        )
        source.close()


def test_check_names_each_bucket_that_is_not_there(server: VersityServer) -> None:
    env = server.exporter_env() | {"S3_JOB_BUCKET_NAME": "gone-one", "S3_STATUS_BUCKET_NAME": "gone-two"}
    done = run_cli("check", settings=env)
    assert done.returncode == 2
    assert "has no bucket gone-one: make it, or set its name (S3_JOB_BUCKET_NAME)." in done.stdout
    assert "has no bucket gone-two: make it, or set its name (S3_STATUS_BUCKET_NAME)." in done.stdout
    assert done.stdout.count("has no bucket") == 2


def test_check_says_what_is_bearable(server: VersityServer) -> None:
    done = run_cli("check", settings=server.exporter_env() | {"S3_CANARY_BUCKET_NAME": BUCKET})
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("has no GetBucketLifecycleConfiguration") == 1
    assert "S3_CANARY_BUCKET_NAME is a bucket of Supercheck" in done.stdout


def test_check_says_once_that_the_server_is_gone() -> None:
    env = {"S3_ENDPOINT": f"http://{LOOPBACK}:{free_port()}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = run_cli("check", settings=env)
    assert done.returncode == 2
    assert done.stdout.count("takes no connection") == 1


def test_a_site_without_s3_does_not_pay_for_the_library() -> None:
    program = (
        "import sys\n"
        "from supercheck_exporter.cli import main\n"
        "from supercheck_exporter.config import load\n"
        "from supercheck_exporter.site import Site\n"
        "Site(load({'S3_ENDPOINT': 'http://example.com'})).s3\n"
        "print(sorted(name for name in sys.modules if name.startswith(('boto', 's3transfer'))))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
