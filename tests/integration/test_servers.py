"""The test servers themselves: each starts, does what it is told, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from servers.bullmq import BullMQ
from servers.process import Server, ServerError, wait_for
from servers.redis import Certificates, RedisServer
from servers.redis_cluster import RedisCluster


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_a_server_that_dies_at_start_shows_its_log() -> None:
    class Broken(Server):
        name = "broken"

        def command(self) -> list[str]:
            return [sys.executable, "-c", "raise SystemExit('cannot find my config')"]

        def ready(self) -> bool:
            return False

    with pytest.raises(ServerError, match="cannot find my config"), Broken():
        pass


def test_a_server_dies_with_a_killed_test_run() -> None:
    program = (
        "from servers.redis import RedisServer\n"
        "server = RedisServer().start()\n"
        "print(server.pid, flush=True)\n"
        "input()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
        wait_for(lambda: gone(pid), 60, "redis-server ended with its starter")


def test_redis_freeze_thaw_and_restart_empty() -> None:
    with RedisServer() as server:
        server.client().set("kept", "1")
        server.freeze()
        impatient = redis.Redis(port=server.port, socket_timeout=0.2, retry=Retry(NoBackoff(), 0))
        with pytest.raises(redis.TimeoutError), impatient:
            impatient.ping()
        server.thaw()
        assert server.client().get("kept") == "1"
        server.restart_empty()
        assert server.client().dbsize() == 0
        pid = server.pid
    assert gone(pid)


def test_redis_password_and_acl() -> None:
    rule = "reader on >reader-password ~* -@all +get +ping"
    with RedisServer(password="the-password", acl=[rule]) as server:
        with pytest.raises(redis.AuthenticationError), server.connect(password="wrong") as stranger:
            stranger.ping()
        with server.connect("reader", "reader-password") as reader:
            assert reader.get("nothing") is None
            with pytest.raises(redis.exceptions.NoPermissionError):
                reader.set("a", "b")


def test_redis_tls() -> None:
    with RedisServer(tls=Certificates()) as server:
        assert server.client().ping()
        distrusting = redis.Redis(port=server.port, ssl=True, retry=Retry(NoBackoff(), 0))
        with pytest.raises(redis.ConnectionError), distrusting:
            distrusting.ping()


def test_bullmq_runs_jobs(bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(3)
    queue.add(priority=2)
    queue.add(delay=3_600_000)
    assert queue.counts()["delayed"] == 1
    worker = queue.worker("fail-times", times=1, concurrency=2)
    queue.wait_finished(failed=4)
    worker.stop()
    version = bullmq.call("queueCall", queue=queue_name, method="getVersion", args=[])
    assert version == f"bullmq:{bullmq.version}"


def test_bullmq_hang_release_and_force(bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    job = queue.add()["id"]
    worker = queue.worker("hang")
    worker.wait("hanging", 1)
    worker.release()
    queue.wait_finished(completed=1)
    assert worker.state()["starts"] == [job]
    queue.add()
    worker.wait("hanging", 1)
    worker.stop(force=True)
    assert queue.counts()["active"] == 1


def test_bullmq_answers_with_the_error(bullmq_newest: BullMQ, queue_name: str) -> None:
    queue = bullmq_newest.queue(queue_name)
    with pytest.raises(ServerError, match="no job 404"):
        queue.promote("404")


def test_cluster_survives_a_switch_and_a_crash(redis_cluster: RedisCluster) -> None:
    with redis_cluster.client() as client:
        client.set("{bull}:kept", "1")
        pair = redis_cluster.pair_of("{bull}:kept")
        redis_cluster.switch(pair)
        assert client.get("{bull}:kept") == "1"
        redis_cluster.kill_master(pair)
        assert client.get("{bull}:kept") == "1"
    redis_cluster.revive(pair)
    assert (pair.master.role(), pair.replica.role()) == ("master", "slave")
