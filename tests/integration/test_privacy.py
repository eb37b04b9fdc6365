"""A canary string in everything that is private appears in no output, page or log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.bullmq import VERSIONS, BullMQ
from servers.exporter import Exporter, run_cli
from servers.heartbeats import KEY_PREFIX
from servers.redis import RedisServer

CANARY = "canary-7f3a9c"
PASSWORD = f"{CANARY}-password"
QUEUE = "playwright-global"
PAGES = ("/metrics", "/", "/-/healthy", "/-/ready", "/runbooks/", "/nothing-here", "/d/supercheck-queues")


@pytest.fixture(scope="module")
def private_redis() -> Iterator[RedisServer]:
    """Redis with the canary as its password."""
    with RedisServer(password=PASSWORD) as server:
        yield server


def check_silent(exporter: Exporter) -> None:
    """Fail if any page or the log holds the canary."""
    for path in PAGES:
        assert CANARY not in exporter.get(path).text, path
    assert CANARY not in exporter.log()


@pytest.mark.promise("privacy")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_job_s_content_appears_nowhere(private_redis: RedisServer, version: str) -> None:
    """In data, result, error, stack, job name, job id, progress, schedule name and heartbeat fields."""
    private_redis.client().flushall()
    env = private_redis.exporter_env() | {"LOG_LEVEL": "debug"}
    with BullMQ(version, private_redis.bullmq_connection()) as bullmq, Exporter(env) as exporter:
        exporter.wait_follows()
        queue = bullmq.queue(QUEUE)
        secret = {"code": CANARY, "secrets": {CANARY: CANARY}}
        queue.add(secret, job_name=f"{CANARY}-name", jobId=f"{CANARY}-completes")
        done = queue.worker(value={"stdout": CANARY, "success": False})
        done.wait("completed", 1)
        done.stop()
        queue.add(secret, job_name=f"{CANARY}-name", attempts=2, backoff=10)
        failing = queue.worker("fail", message=f"{CANARY}-error")
        failing.wait("failed", 2)
        failing.stop()
        queue.add(secret, job_name=f"{CANARY}-name", jobId=f"{CANARY}-runs")
        hanging = queue.worker("hang", name=f"{CANARY}-worker")
        hanging.wait("hanging", 1)
        queue.add(secret, jobId=f"{CANARY}-waits")
        queue.add(secret, jobId=f"{CANARY}-is-prioritized", priority=5)
        queue.add(secret, jobId=f"{CANARY}-is-delayed", delay=1)
        queue.schedule(f"{CANARY}-schedule", {"pattern": "0 3 * * *"})
        heartbeat = {"location": "local", "queues": [QUEUE], "token": CANARY, "hostname": CANARY}
        private_redis.client().set(KEY_PREFIX + "host-a-1", json.dumps(heartbeat))
        exporter.wait_value(1, "supercheck_queue_jobs_failed_total", queue=QUEUE)
        check_silent(exporter)
        with Exporter(env) as newcomer:  # reads from the hashes and CLIENT LIST what the first has by events
            newcomer.wait_value(1, "supercheck_queue_consumers", queue=QUEUE)
            newcomer.wait_value(1, "supercheck_workers", location="local")
            check_silent(newcomer)
        hanging.stop(force=True)


def test_a_wrong_password_appears_nowhere(private_redis: RedisServer) -> None:
    settings = private_redis.exporter_env() | {"REDIS_PASSWORD": f"{CANARY}-wrong", "LOG_LEVEL": "debug"}
    with Exporter(settings) as exporter:
        exporter.scrape()
        check_silent(exporter)
    assert CANARY not in run_cli("check", settings=settings).stdout


@pytest.mark.promise("privacy")
def test_the_right_password_appears_nowhere(private_redis: RedisServer) -> None:
    settings = private_redis.exporter_env() | {"LOG_LEVEL": "debug", "REDIS_TIMEOUT_SECONDS": "0.3"}
    with Exporter(settings) as exporter:
        exporter.wait_follows()
        private_redis.freeze()
        try:
            exporter.scrape()
            check_silent(exporter)
        finally:
            private_redis.thaw()
        assert PASSWORD.encode() not in Path(f"/proc/{exporter.pid}/cmdline").read_bytes()
    done = run_cli("check", settings=settings)
    assert done.returncode == 0, done.stdout
    assert CANARY not in done.stdout


def test_bad_settings_do_not_show_a_secret(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("secrets") / "redis"
    path.write_text(CANARY)
    settings = {
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "not-a-port",
        "REDIS_PASSWORD": f"{CANARY}-in-variable",
        "REDIS_PASSWORD_FILE": str(path),
    }
    for command in ("serve", "check"):
        done = run_cli(command, settings=settings)
        assert done.returncode == 2
        assert "REDIS_PORT" in done.stdout
        assert "not-a-port" in done.stdout
        assert "REDIS_PASSWORD_FILE" in done.stdout
        assert CANARY not in done.stdout


RECEIVERS = {
    "ALERT_SLACK_WEBHOOK_URL": f"https://127.0.0.1/{CANARY}",
    "ALERT_DISCORD_WEBHOOK_URL": f"https://127.0.0.1/{CANARY}",
    "ALERT_WEBHOOK_URL": f"https://{CANARY}:{CANARY}@127.0.0.1/hook",
    "ALERT_DEADMAN_URL": f"https://127.0.0.1/{CANARY}",
    "ALERT_PAGERDUTY_ROUTING_KEY": f"{CANARY}-routing-key",
    "ALERT_TELEGRAM_BOT_TOKEN": f"1234:{CANARY}",
    "ALERT_EMAIL_PASSWORD": f"{CANARY}-mail",
}


@pytest.mark.promise("secrets stay in files")
def test_a_receiver_s_secret_appears_nowhere(private_redis: RedisServer) -> None:
    everything = private_redis.exporter_env() | RECEIVERS | {"LOG_LEVEL": "debug"}
    assert CANARY not in run_cli("check", settings=everything).stdout
    assert CANARY not in run_cli("render", "--out", "/proc/nowhere", settings=everything).stdout
    with Exporter(everything) as exporter:
        exporter.scrape()
        check_silent(exporter)
