"""Real BullMQ: a Node child that adds jobs and runs workers as it is told (node/harness.cjs)."""

from __future__ import annotations

import itertools
import json
import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from servers.nodejs import install_packages, node_program
from servers.process import Server, ServerError, wait_for

# name of the version in test ids -> npm alias in node/package.json
VERSIONS = {"5.77.6": "bullmq5_77", "5.81.3": "bullmq5_81", "6.7.0": "bullmq6_7"}
OLDEST, NEWEST_5, NEWEST = VERSIONS
ANSWER_SECONDS = 30.0


class BullMQ(Server):
    """One Node process with one BullMQ version, one Redis and one prefix; any number of queues and workers.

    `connection` is what `RedisServer.bullmq_connection()` or `RedisCluster.bullmq_connection()` gives.
    """

    name = "bullmq"
    stdin = subprocess.PIPE
    stdout = subprocess.PIPE

    def __init__(self, version: str, connection: Mapping[str, object], prefix: str = "bull") -> None:
        self.node = node_program()
        self.package = install_packages()
        super().__init__(env=dict(os.environ) | {"NODE_PATH": str(self.package / "node_modules")})
        self.version = version
        self.prefix = prefix
        self._settings = {"module": VERSIONS[version], "prefix": prefix, "connection": connection}
        self._ids = itertools.count(1)
        self.worker_numbers = itertools.count(1)
        self._buffer = b""

    @property
    def major(self) -> int:
        """BullMQ's major version."""
        return int(self.version.split(".")[0])

    def command(self) -> list[str]:
        """Node with the harness."""
        self._buffer = b""
        return [str(self.node), str(self.package / "harness.cjs"), json.dumps(self._settings)]

    def ready(self) -> bool:
        """Has said so."""
        return "ready" in self._read_line(ANSWER_SECONDS)

    def call(self, op: str, **parameters: Any) -> Any:
        """Do one operation of the harness and return its result; raise ServerError with BullMQ's error."""
        assert self.process is not None
        assert self.process.stdin is not None
        number = next(self._ids)
        request = json.dumps({"id": number, "op": op, **parameters})
        self.process.stdin.write(request.encode() + b"\n")
        self.process.stdin.flush()
        answer = self._read_line(ANSWER_SECONDS)
        if answer.get("id") != number:
            raise ServerError(f"bullmq answered {answer!r} to request {number} ({op})")
        if "error" in answer:
            raise ServerError(f"{op}: {answer['error']}")
        return answer["result"]

    def _read_line(self, timeout: float) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ServerError(f"bullmq gave no answer within {timeout:g} s\n{self.log_tail()}")
                chunk = os.read(descriptor, 1 << 16)
                if not chunk:
                    raise ServerError(f"bullmq ended\n{self.log_tail()}")
                self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def queue(self, name: str, **options: Any) -> Queue:
        """Open a queue (this writes its `meta` key, as in an app); options are BullMQ's QueueOptions."""
        self.call("open", queue=name, options=options)
        return Queue(self, name)

    def flow(self, parent: Queue, child: Queue) -> dict[str, Any]:
        """Add a job to `parent` that waits for one job added to `child`."""
        children = [{"name": "child", "queueName": child.name, "data": {}}]
        tree = {"name": "parent", "queueName": parent.name, "data": {}, "children": children}
        result: dict[str, Any] = self.call("flow", tree=tree)
        return result


class Queue:
    """One queue of a BullMQ process. Options of jobs are BullMQ's own names (`removeOnComplete`, ...)."""

    def __init__(self, bullmq: BullMQ, name: str) -> None:
        self.bullmq = bullmq
        self.name = name
        self.base = f"{bullmq.prefix}:{name}:"

    def add(self, data: object = None, job_name: str = "job", **options: Any) -> dict[str, Any]:
        """Add one job; return its numbers (id, timestamp in ms, delay, priority, ...)."""
        result: dict[str, Any] = self.bullmq.call(
            "add", queue=self.name, name=job_name, data={} if data is None else data, options=options
        )
        return result

    def add_many(self, count: int, data: object = None, job_name: str = "job", **options: Any) -> list[str]:
        """Add `count` equal jobs at once; return their ids."""
        result: list[str] = self.bullmq.call(
            "addMany",
            queue=self.name,
            count=count,
            name=job_name,
            data={} if data is None else data,
            options=options,
        )
        return result

    def add_bulk(self, jobs: Sequence[Mapping[str, object]]) -> list[str]:
        """Add jobs given as BullMQ's addBulk takes them: {name, data, opts}."""
        result: list[str] = self.bullmq.call("addBulk", queue=self.name, jobs=list(jobs))
        return result

    def schedule(self, name: str, repeat: Mapping[str, object], **options: Any) -> None:
        """Make a repeatable job (BullMQ 5, as Supercheck does) or a job scheduler (6)."""
        self.bullmq.call("schedule", queue=self.name, name=name, repeat=dict(repeat), options=options)

    def worker(
        self,
        kind: str = "succeed",
        *,
        message: str = "made to fail",
        value: object = None,
        times: int = 0,
        ms: int = 0,
        **options: Any,
    ) -> Worker:
        """Start a worker: `succeed`, `fail`, `fail-times` (so many attempts), `sleep` (`ms`), `hang`.

        `options` are BullMQ's WorkerOptions (concurrency, name, limiter, lockDuration, stalledInterval, ...).
        """
        identifier = f"{self.name}#{next(self.bullmq.worker_numbers)}"
        behaviour = {"kind": kind, "message": message, "value": value, "times": times, "ms": ms}
        self.bullmq.call("startWorker", worker=identifier, queue=self.name, behaviour=behaviour, options=options)
        return Worker(self.bullmq, identifier)

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of BullMQ's Queue by its own name."""
        return self.bullmq.call("queueCall", queue=self.name, method=method, args=list(args))

    def pause(self) -> None:
        """Pause the whole queue."""
        self.call("pause")

    def resume(self) -> None:
        """End the pause."""
        self.call("resume")

    def drain(self, delayed: bool = False) -> None:
        """Remove all waiting jobs, and the delayed ones if asked."""
        self.call("drain", delayed)

    def obliterate(self) -> None:
        """Remove the queue with everything in it, running jobs too."""
        self.call("obliterate", {"force": True})

    def counts(self) -> dict[str, int]:
        """BullMQ's own getJobCounts."""
        result: dict[str, int] = self.call("getJobCounts")
        return result

    def set_global_concurrency(self, jobs: int) -> None:
        """At most so many active jobs, all workers together."""
        self.call("setGlobalConcurrency", jobs)

    def set_global_rate_limit(self, jobs: int, milliseconds: int) -> None:
        """At most so many starts in so many milliseconds, all workers together."""
        self.call("setGlobalRateLimit", jobs, milliseconds)

    def job(self, job: str) -> dict[str, Any]:
        """A job's numbers as BullMQ reads them."""
        result: dict[str, Any] = self.bullmq.call("job", queue=self.name, job=job)
        return result

    def promote(self, job: str) -> None:
        """Make a delayed job ready now."""
        self.bullmq.call("jobCall", queue=self.name, job=job, method="promote", args=[])

    def retry(self, job: str) -> None:
        """Put a failed job back to wait."""
        self.bullmq.call("jobCall", queue=self.name, job=job, method="retry", args=["failed"])

    def wait_finished(self, completed: int = 0, failed: int = 0, timeout: float = 30.0) -> None:
        """Wait until BullMQ itself retains so many completed and failed jobs."""
        wanted = {"completed": completed, "failed": failed}
        wait_for(
            lambda: {state: self.counts()[state] for state in wanted} == wanted,
            timeout,
            f"{self.name} has {completed} completed and {failed} failed jobs",
        )


class Worker:
    """One BullMQ worker inside the Node process."""

    def __init__(self, bullmq: BullMQ, identifier: str) -> None:
        self.bullmq = bullmq
        self.identifier = identifier

    def state(self) -> dict[str, Any]:
        """{starts: ids in order of start, hanging, completed, failed} as this worker saw them."""
        result: dict[str, Any] = self.bullmq.call("workerState", worker=self.identifier)
        return result

    def wait(self, what: str, count: int, timeout: float = 30.0) -> None:
        """Wait until this worker has `count` of `hanging`, `completed`, `failed`."""
        wait_for(lambda: self.state()[what] == count, timeout, f"{self.identifier} has {count} {what}")

    def release(self) -> None:
        """Let its hanging jobs complete."""
        self.bullmq.call("release", worker=self.identifier)

    def stop(self, force: bool = False) -> None:
        """Close after the running jobs, or leave them behind at once as a crash does (`force`)."""
        self.bullmq.call("stopWorker", worker=self.identifier, force=force)
