"""The traces of a site in Supercheck's shape: real BullMQ, ioredis, postgres.js and pino, and a receiver of OTLP."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.nodejs import install_packages, node_program
from servers.otlp import OtlpSink, Span
from servers.postgres import OWNER, OWNER_PASSWORD, PostgresServer
from servers.process import free_port, wait_for
from servers.redis import LOOPBACK, RedisServer
from servers.traced_site import INSTRUMENTATION, SiteProcess, preload

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
TABLE = "CREATE TABLE IF NOT EXISTS visits (id int GENERATED ALWAYS AS IDENTITY, who text, what text)"
LOOP, BROKEN = "select who from visits where id = ?", "select * from no_such_table where word = ?"
SECRETS = ("hunter2", "s3cr3t", "hara", "1042424242", OWNER_PASSWORD)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    postgres.run(TABLE + f"; GRANT ALL ON visits TO {OWNER}")
    return postgres.url(OWNER, OWNER_PASSWORD)


@pytest.fixture
def sink(redis: RedisServer) -> Iterator[OtlpSink]:
    redis.client().flushall()
    with OtlpSink() as server:
        yield server


def arrived(sink: OtlpSink, name: str, count: int = 1) -> list[Span]:
    wait_for(lambda: len(sink.named(name)) >= count, 30, f"{count} spans {name!r} arrived")
    return sink.named(name)


def statements(sink: OtlpSink) -> Counter[str]:
    return Counter(span.attributes.get("db.query.text", "") for span in sink.spans)


def tree(sink: OtlpSink, trace: str) -> dict[str, str]:
    """The name of each span of a trace, with its service, and the same of its parent."""
    # the driver's own question about types, once a connection, is a query like any other
    known = [span for span in sink.spans if "pg_catalog.pg_type" not in span.attributes.get("db.query.text", "")]
    spans = {span.id: span for span in known if span.trace == trace}
    label = {id_: f"{span.name} {span.service}" for id_, span in spans.items()}
    return {label[id_]: label.get(span.parent, "") for id_, span in spans.items()}


@pytest.mark.promise("one trace from click to query")
def test_one_trace_from_the_request_to_the_job_s_last_query(sink: OtlpSink, redis: RedisServer, database: str) -> None:
    with (
        SiteProcess("worker", redis, preload(sink.url, "supercheck-worker", WORKER_LOCATION="EU"), database) as worker,
        SiteProcess("app", redis, preload(sink.url, "supercheck-app"), database) as app,
    ):
        assert app.get("/api/run?token=s3cr3t").json()
        (job,) = arrived(sink, "Worker.run playwright-global")
        # the worker's and the app's batches come in any order
        wait_for(lambda: {"GET", "INSERT"} <= {span.name for span in sink.spans}, 60, "the app's spans arrived")
        found = tree(sink, job.trace)
        lines = app.lines() + worker.lines()
    request, add, run = "GET supercheck-app", "Queue.add playwright-global supercheck-app", f"{job.name} {job.service}"
    assert found == {
        request: "",
        "INSERT supercheck-app": request,
        "set supercheck-app": request,
        add: request,
        run: add,
        "UPDATE supercheck-worker": run,
        "incr supercheck-worker": run,
    }
    told = {line["msg"]: line for line in lines}
    assert {told["run added"]["trace_id"], told["run started"]["trace_id"]} == {job.trace}
    assert told["run started"]["span_id"] == job.id
    kinds = {span.name: span.kind for span in sink.spans}
    assert [kinds[name] for name in ("GET", "INSERT", "Queue.add playwright-global", job.name)] == [
        SERVER, CLIENT, PRODUCER, CONSUMER,
    ]  # fmt: skip


def test_what_the_worker_and_redis_hold_is_as_without_it(sink: OtlpSink, redis: RedisServer, database: str) -> None:
    with (
        SiteProcess("worker", redis, preload(sink.url, "supercheck-worker"), database),
        SiteProcess("app", redis, preload(sink.url, "supercheck-app"), database) as app,
    ):
        job = app.get("/api/run").json()["id"]
        key = f"bull:playwright-global:{job}"
        wait_for(lambda: redis.client().hget(key, "returnvalue"), 60, "the job is done")
        data, returned = (json.loads(redis.client().hget(key, name)) for name in ("data", "returnvalue"))
    assert data == returned["data"] == {"runId": data["runId"], "secret": "hunter2"}
    assert returned["keys"] == ["runId", "secret"]


@pytest.mark.promise("nothing secret in a trace")
def test_nothing_secret_leaves_the_process(sink: OtlpSink, redis: RedisServer, database: str) -> None:
    with (
        SiteProcess("worker", redis, preload(sink.url, "supercheck-worker"), database),
        SiteProcess("app", redis, preload(sink.url, "supercheck-app"), database) as app,
    ):
        app.get("/api/run?token=s3cr3t")
        assert app.get("/api/broken?password=s3cr3t").status_code == 500
        app.get("/api/loop")
        arrived(sink, "Worker.run playwright-global")
        wait_for(lambda: (statements(sink)[LOOP], statements(sink)[BROKEN]) == (12, 1), 60, "every query arrived")
    everything = json.dumps([(span.name, span.error, span.attributes) for span in sink.spans])
    assert [secret for secret in SECRETS if secret in everything] == []
    assert {span.error for span in sink.named("SELECT") if span.error} == {"PostgreSQL 42P01"}


class TestARepeatedQueryMarksTheSpanAboveIt:
    """More than ten queries of one fingerprint below one span are the N+1 pattern."""

    def mark(self, sink: OtlpSink, redis: RedisServer, database: str, path: str) -> tuple[str | None, str | None]:
        """How often and which query, by the request's span."""
        with SiteProcess("app", redis, preload(sink.url, "supercheck-app"), database) as app:
            assert app.get(path).status_code == 200
            (request,) = arrived(sink, "GET")
        return tuple(request.attributes.get(f"supercheck.repeated_{what}") for what in ("queries", "query"))  # type: ignore[return-value]

    def test_ten_are_none(self, sink: OtlpSink, redis: RedisServer, database: str) -> None:
        assert self.mark(sink, redis, database, "/api/loop?times=10") == (None, None)

    @pytest.mark.promise("a repeated query is proved by its trace")
    def test_eleven_are_one(self, sink: OtlpSink, redis: RedisServer, database: str) -> None:
        assert self.mark(sink, redis, database, "/api/loop?times=11") == ("11", LOOP)

    def test_its_literals_and_the_length_of_its_lists_do_not_matter(
        self, sink: OtlpSink, redis: RedisServer, database: str
    ) -> None:
        expected = "12", "select who from visits where what = ? and id in (?)"
        assert self.mark(sink, redis, database, "/api/loop/literals") == expected

    def test_many_different_ones_are_none(self, sink: OtlpSink, redis: RedisServer, database: str) -> None:
        assert self.mark(sink, redis, database, "/api/loop/many") == (None, None)


def test_bullmq_s_own_commands_make_no_spans(sink: OtlpSink, redis: RedisServer, database: str) -> None:
    with (
        SiteProcess("worker", redis, preload(sink.url, "supercheck-worker"), database),
        SiteProcess("app", redis, preload(sink.url, "supercheck-app"), database) as app,
    ):
        app.get("/api/run")
        arrived(sink, "Worker.run playwright-global")
        arrived(sink, "GET")
    assert {span.name for span in sink.spans if span.attributes.get("db.system") == "redis"} <= {"set", "incr"}


def test_each_run_of_a_schedule_is_a_trace_of_its_own(sink: OtlpSink, redis: RedisServer) -> None:
    with (
        SiteProcess("worker", redis, preload(sink.url, "supercheck-worker")),
        SiteProcess("app", redis, preload(sink.url, "supercheck-app")) as app,
    ):
        app.get("/api/schedule")
        runs = arrived(sink, "Worker.run playwright-global", 3)
        (request,) = arrived(sink, "GET")
    assert len({span.trace for span in runs} | {request.trace}) == len(runs) + 1


def test_an_ecmascript_module_is_traced_too(sink: OtlpSink, redis: RedisServer, database: str) -> None:
    port = free_port()
    env = preload(sink.url, "supercheck-app", DATABASE=database, PORT=str(port))

    class Module(SiteProcess):
        def command(self) -> list[str | Path]:
            return [self.node, self.package / "site.mjs"]

    with Module("app", redis, env) as site:
        site.port = port
        assert site.get("/").status_code == 200
        (request,) = arrived(sink, "GET")
        query = next(span for span in sink.spans if span.attributes.get("db.query.text") == "select ?::text as word")
    assert (query.trace, query.parent) == (request.trace, request.id)


@pytest.mark.parametrize(
    "env",
    [{"SUPERCHECK_TRACING": "off"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}],
    ids=["switched off", "no receiver"],
)
def test_one_variable_switches_it_off(sink: OtlpSink, redis: RedisServer, database: str, env: dict[str, str]) -> None:
    with SiteProcess("app", redis, preload(sink.url, "supercheck-app", **env), database) as app:
        app.get("/api/run")
        loaded = Path(f"/proc/{app.pid}/maps").read_text()
        lines = app.lines()
    assert sink.requests == 0
    assert [line for line in lines if "trace_id" in line] == []
    assert "otel-collector/instrumentation" not in loaded


class TestTheHostIsUnharmed:
    """A missing receiver, one that hangs or refuses, a defect of ours: the site goes on."""

    def test_no_receiver(self, redis: RedisServer, database: str) -> None:
        dead = f"http://{LOOPBACK}:{free_port()}"
        with SiteProcess("app", redis, preload(dead, "supercheck-app"), database) as app:
            for _ in range(200):
                assert app.get("/api/run").status_code == 200
            # it has no handler of its own for SIGTERM, and gets none from us
            assert app.terminate() == -15

    def test_a_receiver_that_refuses(self, sink: OtlpSink, redis: RedisServer, database: str) -> None:
        sink.status = 503
        with SiteProcess("app", redis, preload(sink.url, "supercheck-app"), database) as app:
            for _ in range(50):
                assert app.get("/api/run").status_code == 200
            wait_for(lambda: sink.requests, 60, "it has tried")
            assert app.get("/api/run").status_code == 200

    def test_a_defect_of_ours(self, redis: RedisServer, database: str, tmp_path: Path) -> None:
        broken = tmp_path / "instrumentation"
        shutil.copytree(INSTRUMENTATION, broken, ignore=shutil.ignore_patterns("node_modules"))
        env = preload("http://127.0.0.1:1", "supercheck-app") | {"NODE_OPTIONS": f"--require {broken}/register.cjs"}
        with SiteProcess("app", redis, env, database) as app:
            assert app.get("/api/run").status_code == 200
            told = [line for line in app.log().splitlines() if "supercheck-instrumentation" in line]
        assert len(told) == 1
        assert told[0].startswith("supercheck-instrumentation: no traces from this process")

    def test_a_short_script_ends_by_itself(self) -> None:
        env = preload(f"http://{LOOPBACK}:{free_port()}", "supercheck-app")
        done = subprocess.run(
            [node_program(), "-e", "console.log('migrated')"], env=env, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "migrated\n", "")


def test_a_host_without_any_of_the_packages(sink: OtlpSink, tmp_path: Path) -> None:
    install_packages()
    script = tmp_path / "plain.cjs"
    script.write_text("require('node:http'); console.log('fine')")
    done = subprocess.run(
        [node_program(), script], env=preload(sink.url, "x"), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "fine\n")
