"""Redis frozen, killed, restarted empty, refusing us: the page answers, says so, and recovers by itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from servers.bullmq import NEWEST, BullMQ
from servers.exporter import Exporter, Samples, run_cli
from servers.process import free_port, wait_for
from servers.redis import LOOPBACK, Certificates, RedisServer

ADDED = "supercheck_queue_added_jobs_total"
READ_TIMEOUT = {"REDIS_TIMEOUT_SECONDS": "0.3"}
DEADLINE = 10.0
QUEUE = "playwright-global"
RECOVERY_SECONDS = 60.0


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of its own, to be broken."""
    with RedisServer() as own:
        yield own


@pytest.fixture
def exporter(server: RedisServer) -> Iterator[Exporter]:
    """An exporter on it that gives up a read after 0.3 s."""
    with Exporter(server.exporter_env() | READ_TIMEOUT) as own:
        own.wait_follows()
        yield own


@pytest.fixture(scope="module", autouse=True)
def frozen_for_long() -> Iterator[Exporter]:
    """An exporter whose Redis is frozen all the time that this file takes, for the one test that needs a minute."""
    with RedisServer() as server, Exporter(server.exporter_env() | READ_TIMEOUT) as exporter:
        exporter.wait_follows()
        assert exporter.scrape().labels(ADDED)
        server.freeze()
        yield exporter


def success(samples: Samples) -> dict[str, float]:
    """Which collectors worked."""
    return samples.values("supercheck_scrape_collector_success", by="collector")


def check_down(samples: Samples) -> None:
    """Fail unless the page says that Redis is down, and shows no value of it that it can't know."""
    assert success(samples)["queues"] == 0
    assert list(samples.values("supercheck_redis_node_up", by="node").values()) == [0]
    for name in ("jobs", "backlog_jobs", "oldest_ready_job_age_seconds", "paused", "schedules"):
        assert samples.labels(f"supercheck_queue_{name}") == [], f"{name} is unknown and must be absent"


def wait_well(exporter: Exporter) -> Samples:
    """Scrape until every collector works and Redis is up."""

    def well() -> Samples | None:
        samples = exporter.scrape()
        up = list(samples.values("supercheck_redis_node_up", by="node").values())
        return samples if up == [1] and set(success(samples).values()) == {1.0} else None

    found = wait_for(well, RECOVERY_SECONDS, "every collector works again")
    assert found is not None
    return found


# -- frozen ----------------------------------------------------------------------------------------


@pytest.mark.promise("frozen source")
@pytest.mark.promise("recovers by itself")
def test_a_frozen_redis_is_down_and_well_again(server: RedisServer, exporter: Exporter) -> None:
    server.freeze()
    check_down(exporter.scrape(deadline=DEADLINE))
    server.thaw()
    samples = wait_well(exporter)
    assert samples.value("supercheck_queue_backlog_jobs", queue=QUEUE) == 0


@pytest.mark.promise("frozen source")
def test_the_page_of_a_frozen_redis_keeps_a_deadline_shorter_than_its_reads(server: RedisServer) -> None:
    with Exporter(server.exporter_env() | {"REDIS_TIMEOUT_SECONDS": "20"}) as exporter:
        exporter.wait_follows()
        server.freeze()
        samples = exporter.scrape(deadline=5)
        assert success(samples)["queues"] == 0
        assert samples.value("supercheck_scrape_collector_duration_seconds", collector="queues") is not None
        server.thaw()
        wait_well(exporter)


@pytest.mark.promise("frozen source")
def test_scrapes_of_a_frozen_redis_at_once_all_answer(server: RedisServer, exporter: Exporter) -> None:
    """They join the run in flight: twenty scrapes are no twenty readers."""
    server.freeze()
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": str(DEADLINE)}
    most = list[int]()
    for _ in range(2):
        with ThreadPoolExecutor(20) as pool:
            url = f"{exporter.url}/metrics"
            calls = [pool.submit(requests.get, url, timeout=DEADLINE, headers=headers) for _ in range(20)]
            for call in calls:
                check_down(Samples(call.result().text))
        most.append(exporter.descriptors())
    # what reads in the background may be connecting at this moment or not
    assert most[1] < most[0] + 10
    server.thaw()
    wait_well(exporter)


@pytest.mark.promise("recovers by itself")
def test_100_scrapes_of_a_frozen_redis_pile_nothing_up(server: RedisServer) -> None:
    with Exporter(server.exporter_env() | {"REDIS_TIMEOUT_SECONDS": "0.1"}) as exporter:
        exporter.wait_follows()
        server.freeze()
        threads, descriptors = after_some_scrapes(exporter)
        for _ in range(100):
            samples = exporter.scrape(deadline=DEADLINE)
        assert exporter.threads() <= threads
        assert exporter.descriptors() <= descriptors + 1
        check_down(samples)
        server.thaw()
        wait_well(exporter)
        clients = int(server.client().info("clients")["connected_clients"])
        for _ in range(20):
            exporter.scrape()
        # one connection a scrape would be 20; readers that happen to meet may open one more each
        assert int(server.client().info("clients")["connected_clients"]) < clients + 10


def after_some_scrapes(exporter: Exporter) -> tuple[int, int]:
    """Threads and descriptors once every thread and connection that is kept has been made."""
    for _ in range(10):
        exporter.scrape(deadline=DEADLINE)
    return exporter.threads(), exporter.descriptors()


def test_a_frozen_redis_is_named_on_the_status_page(server: RedisServer, exporter: Exporter) -> None:
    server.freeze()
    check_down(exporter.scrape(deadline=DEADLINE))
    page = exporter.page("/")
    assert f"{LOOPBACK}:{server.port}" in page
    assert "REDIS_TIMEOUT_SECONDS" in page
    assert exporter.get("/-/healthy").status_code == 200, "the exporter itself is well"
    server.thaw()


def test_sigterm_ends_the_exporter_though_redis_is_frozen(server: RedisServer, exporter: Exporter) -> None:
    server.freeze()
    exporter.scrape(deadline=DEADLINE)
    assert exporter.terminate() == 0
    server.thaw()


# -- killed and restarted --------------------------------------------------------------------------


@pytest.mark.promise("recovers by itself")
def test_a_killed_redis_is_down_and_its_successor_read(server: RedisServer, exporter: Exporter) -> None:
    with BullMQ(NEWEST, server.bullmq_connection()) as bullmq:
        bullmq.queue(QUEUE).add_many(3)
        exporter.wait_value(3, "supercheck_queue_added_jobs_total", queue=QUEUE)
    server.kill()
    for _ in range(3):
        check_down(exporter.scrape(deadline=DEADLINE))
    server.start()
    samples = wait_well(exporter)
    assert samples.value("supercheck_queue_backlog_jobs", queue=QUEUE) == 0, "it came back empty"


@pytest.mark.promise("recovers by itself")
def test_100_scrapes_of_a_killed_redis_pile_nothing_up(server: RedisServer, exporter: Exporter) -> None:
    server.kill()
    threads, descriptors = after_some_scrapes(exporter)
    for _ in range(100):
        check_down(exporter.scrape(deadline=DEADLINE))
    assert exporter.threads() <= threads
    assert exporter.descriptors() <= descriptors + 1
    server.start()
    wait_well(exporter)


@pytest.mark.promise("recovers by itself")
def test_100_scrapes_of_a_healthy_redis_pile_nothing_up(server: RedisServer, exporter: Exporter) -> None:
    threads, descriptors = after_some_scrapes(exporter)
    clients = int(server.client().info("clients")["connected_clients"])
    for _ in range(100):
        exporter.scrape()
    assert exporter.threads() <= threads
    assert exporter.descriptors() <= descriptors + 1
    assert int(server.client().info("clients")["connected_clients"]) <= clients


def test_a_restart_that_lost_everything(server: RedisServer, exporter: Exporter) -> None:
    """Supercheck's own compose file wipes Redis at each start: totals go on, state starts from nothing."""
    with BullMQ(NEWEST, server.bullmq_connection()) as bullmq:
        queue = bullmq.queue(QUEUE)
        queue.add_many(5)
        worker = queue.worker()
        queue.wait_finished(completed=5)
        worker.stop()
        queue.add_many(4)
        samples = exporter.wait_value(9, "supercheck_queue_added_jobs_total", queue=QUEUE)
        started = samples.value("supercheck_redis_start_timestamp_seconds")
    server.restart_empty()
    samples = wait_well(exporter)
    assert samples.value("supercheck_queue_backlog_jobs", queue=QUEUE) == 0
    assert samples.value("supercheck_queue_oldest_ready_job_age_seconds", queue=QUEUE) == 0
    with BullMQ(NEWEST, server.bullmq_connection()) as bullmq:
        queue = bullmq.queue(QUEUE)
        queue.add_many(2)
        worker = queue.worker()
        queue.wait_finished(completed=2)
        worker.stop()
        samples = exporter.wait_value(7, "supercheck_queue_jobs_completed_total", queue=QUEUE)
    assert samples.value("supercheck_queue_added_jobs_total", queue=QUEUE) == 11
    wait = samples.histogram("supercheck_queue_job_wait_seconds", queue=QUEUE)
    assert wait is not None
    assert wait.count == 7
    restarted = samples.value("supercheck_redis_start_timestamp_seconds")
    assert started is not None
    assert restarted is not None
    assert restarted >= started


@pytest.mark.promise("recovers by itself")
def test_an_exporter_that_starts_before_redis_finds_it(server: RedisServer) -> None:
    env = server.exporter_env() | READ_TIMEOUT
    server.kill()
    with Exporter(env) as exporter:
        check_down(exporter.scrape(deadline=DEADLINE))
        assert exporter.get("/-/ready").status_code == 503
        server.start()
        wait_well(exporter)
        assert exporter.get("/-/ready").status_code == 200


def test_without_a_redis_it_says_which_setting_is_missing() -> None:
    for command in ("serve", "check"):
        done = run_cli(command, settings={})
        assert done.returncode == 2
        assert "REDIS_HOST" in done.stdout


# -- refused ---------------------------------------------------------------------------------------


def check_refused(settings: dict[str, str], says: str) -> None:
    """Fail unless serve answers and says why on its page, and check exits 2 with the same words."""
    with Exporter(settings | READ_TIMEOUT) as exporter:
        check_down(exporter.scrape(deadline=DEADLINE))
        assert says in exporter.page("/")
    done = run_cli("check", settings=settings | READ_TIMEOUT)
    assert (done.returncode, says in done.stdout) == (2, True), done.stdout


def test_a_wrong_password() -> None:
    with RedisServer(password="the-right-one") as server:
        check_refused(server.exporter_env() | {"REDIS_PASSWORD": "a-wrong-one"}, "REDIS_PASSWORD")


def test_no_password_where_one_is_asked_for() -> None:
    with RedisServer(password="the-right-one") as server:
        settings = server.exporter_env()
        del settings["REDIS_PASSWORD"]
        check_refused(settings, "REDIS_PASSWORD")


def test_a_password_from_a_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("secrets") / "redis"
    path.write_text("the-right-one\n")
    with RedisServer(password="the-right-one") as server:
        settings = server.exporter_env() | {"REDIS_PASSWORD_FILE": str(path)}
        del settings["REDIS_PASSWORD"]
        with Exporter(settings) as exporter:
            wait_well(exporter)


@pytest.mark.promise("recovers by itself")
def test_a_password_that_changes_under_a_running_exporter(server: RedisServer, exporter: Exporter) -> None:
    client = server.client()
    client.config_set("requirepass", "a-new-one")
    client.execute_command("CLIENT KILL TYPE normal SKIPME yes")
    wait_for(lambda: success(exporter.scrape())["queues"] == 0, 60, "it is refused")
    check_down(exporter.scrape())
    client.config_set("requirepass", "")
    wait_well(exporter)


def test_a_certificate_that_nobody_trusts() -> None:
    with RedisServer(tls=Certificates()) as server:
        settings = server.exporter_env()
        del settings["REDIS_TLS_CA_FILE"]
        check_refused(settings, "certificate")
        with Exporter(settings | {"REDIS_TLS_REJECT_UNAUTHORIZED": "false"}) as exporter:
            wait_well(exporter)


def test_a_certificate_of_another_authority() -> None:
    with RedisServer(tls=Certificates()) as server, RedisServer(tls=Certificates()) as other:
        settings = server.exporter_env() | {"REDIS_TLS_CA_FILE": str(other.ca_path)}
        check_refused(settings, "certificate")


def test_tls_with_a_trusted_certificate() -> None:
    with RedisServer(password="the-right-one", tls=Certificates()) as server:
        with Exporter(server.exporter_env()) as exporter:
            wait_well(exporter)
        assert run_cli("check", settings=server.exporter_env()).returncode == 0


def test_plain_text_to_a_tls_port() -> None:
    with RedisServer(tls=Certificates()) as server:
        settings = {"REDIS_HOST": LOOPBACK, "REDIS_PORT": str(server.port)}
        check_refused(settings, f"{LOOPBACK}:{server.port}")


def test_tls_to_a_plain_port(server: RedisServer) -> None:
    check_refused(server.exporter_env() | {"REDIS_TLS_ENABLED": "true"}, "REDIS_TLS_ENABLED")


def test_nothing_listens() -> None:
    settings = {"REDIS_HOST": LOOPBACK, "REDIS_PORT": str(free_port())}
    check_refused(settings, settings["REDIS_PORT"])


def test_a_name_that_does_not_resolve() -> None:
    check_refused({"REDIS_HOST": "no-such-host.invalid"}, "no-such-host.invalid")


def test_a_cluster_setting_for_a_single_server(server: RedisServer) -> None:
    check_refused(server.exporter_env() | {"REDIS_CLUSTER": "true"}, "REDIS_CLUSTER")


# -- last in this file, as it needs a minute that the other tests have used by now ------------------


@pytest.mark.promise("unknown is absent")
def test_what_was_counted_goes_absent_once_it_is_a_minute_old(frozen_for_long: Exporter) -> None:
    """Totals that nobody adds to any more would read as a queue in which nothing happens."""

    def stale() -> bool:
        samples = frozen_for_long.scrape(deadline=DEADLINE)
        return samples.labels(ADDED) == [] and success(samples)["queue_events"] == 0

    wait_for(stale, 90.0, "old totals are absent")
