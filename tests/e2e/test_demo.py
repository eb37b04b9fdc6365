"""The demo as a person runs it: the page and its resolve, silence at rest, and nothing left when it ends."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.preview_page import ARTIFACTS, NARROW, look_at, may_be_empty
from e2e.preview_stack import chromium, require_build
from servers.process import missing, require_program, wait_for

from compose.demo.programs import find, find_postgres

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 40.0
# supervisord, Redis, PostgreSQL, PgBouncer, two workers, the app, exporter, receiver, Alertmanager, Prometheus; the
# preview where it is built
PROGRAMS = 11 + (ROOT / "dashboards/preview/dist/index.html").is_file()

WITH_A_SOURCE = [
    f"supercheck-{name}" for name in ("overview", "queues", "workers", "capacity", "redis", "database", "observability")
]

# the demo appends the folder of rendered configurations
SHORTEN = [
    sys.executable,
    "-c",
    f"import sys, pathlib; sys.path.insert(0, {str(ROOT / 'tests/e2e')!r}); "
    "import shorten; shorten.shorten_folder(pathlib.Path(sys.argv[1]))",
]


class Demo:
    """One run of the demo, its temporary directory below a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        folder.chmod(0o711)  # where we are root, the user of the database passes through
        self.temporary.chmod(0o711)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "compose.demo", *arguments],
                cwd=ROOT,
                env=os.environ | {"TMPDIR": str(self.temporary)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float) -> int:
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {seconds:g} s:\n{self.text()}")

    def said(self, text: str, seconds: float) -> None:
        """Wait until it has printed `text`."""
        assert self.process is not None
        process = self.process

        def found() -> bool:
            assert process.poll() is None or text in self.text(), f"it ended:\n{self.text()}"
            return text in self.text()

        wait_for(found, seconds, f"the demo prints {text!r}")

    def processes(self) -> list[str]:
        """Every process that knows this run's directory, by environment, working directory or command line."""
        marker = str(self.temporary)
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or (self.process and int(entry.name) == self.process.pid):
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                known = command + (entry / "environ").read_bytes() + os.fsencode((entry / "cwd").readlink())
            except OSError:  # it ended meanwhile, or is a zombie
                continue
            if marker.encode() in known:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found

    def programs(self) -> list[str]:
        """The processes without those that PostgreSQL starts by itself."""
        return [command for command in self.processes() if not command.startswith("postgres: ")]

    def left(self) -> list[str]:
        """What is left of it: processes and files."""
        return [*self.processes(), *(str(path) for path in self.temporary.iterdir())]


@pytest.fixture
def demo() -> Iterator[Demo]:
    for program in ("redis-server", "prometheus", "psql"):
        require_program(program)
    if find_postgres("postgres") is None or find("pgbouncer") is None:
        missing("PostgreSQL or PgBouncer")
    folder = Path(tempfile.mkdtemp(prefix="d-"))  # short: a unix socket's path has 107 characters at most
    run = Demo(folder)
    try:
        yield run
    finally:
        if run.process is not None and run.process.poll() is None:
            run.signal(signal.SIGTERM)
            run.wait(STOP_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.promise("resolve arrives")
@pytest.mark.promise("page arrives")
@pytest.mark.timeout(270)
def test_its_workers_crash_and_the_page_arrives_and_resolves(demo: Demo) -> None:
    demo.start("--once", "--fault-after=5", "--within=200", f"--after-render={shlex.join(SHORTEN)}")
    code = demo.wait(240)
    text = demo.text()
    assert code == 0, text
    fault, page, back, resolve = (
        text.index(mark) for mark in ("WORKERS STOPPED", "PAGE ARRIVED", "WORKERS ARE BACK", "PAGE RESOLVED")
    )
    assert fault < page < back < resolve
    assert re.search(r"PAGE ARRIVED: .*NoWorkersForQueue.* http://127\.0\.0\.1:\d+/", text)
    assert text.count("PAGE RESOLVED") == text.count("PAGE ARRIVED")
    assert demo.left() == []


@pytest.mark.promise("quiet at rest")
def test_at_rest_it_is_silent(demo: Demo) -> None:
    demo.start("--rest=75")
    code = demo.wait(150)
    assert code == 0, demo.text()
    assert "alert firing" not in demo.text()
    assert re.search(r"jobs completed meanwhile: [1-9]", demo.text())
    assert demo.left() == []


@pytest.mark.promise("dashboards show the demo")
@pytest.mark.timeout(600)
def test_its_dashboards_fill_with_live_data(demo: Demo) -> None:
    """Every panel that need not be empty on a site that is well."""
    require_build()
    demo.start("--rest=560")
    demo.said("all parts run", START_SECONDS)
    (url,) = re.findall(r"dashboards +(http://[\d.:]+)/", demo.text())

    def filled(uid: str) -> bool:
        """Whether no panel is empty that need not be; rates and shares need a few scrapes and ended jobs."""
        address = f"{url}/d/{uid}?refresh=&from=now-5m&to=now"
        look = look_at(browser, address, None, ARTIFACTS / "demo" / f"{uid}.png", NARROW)
        look.page.close()
        if any("ERR_NETWORK_CHANGED" in line for line in look.console):
            return False  # Chromium drops its requests when anything changes the machine's interfaces, as Docker does
        assert look.console == [], uid
        assert look.in_state("error") == set(), uid
        if not look.in_state("empty") <= may_be_empty(uid, "rest"):
            return False
        # live times put an axis' last label where they like; all else is readable on a laptop too
        assert {finding for finding in look.findings if finding[1] != "axis"} == set(), uid
        return True

    with chromium() as browser:
        for uid in reversed(WITH_A_SOURCE):
            wait_for(lambda uid=uid: filled(uid), 200, f"{uid} is filled")  # type: ignore[misc]
    demo.signal(signal.SIGINT)
    demo.wait(STOP_SECONDS)
    assert demo.left() == []


@pytest.mark.promise("demo leaves nothing")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_and_removes_every_file(demo: Demo, number: signal.Signals) -> None:
    demo.start()
    demo.said("all parts run", START_SECONDS)
    assert len(demo.programs()) == PROGRAMS
    demo.signal(number)
    assert demo.wait(STOP_SECONDS) == 0, demo.text()
    assert "Traceback" not in demo.text()
    assert demo.left() == []


def test_a_signal_while_it_starts_leaves_nothing(demo: Demo) -> None:
    demo.start()
    wait_for(demo.processes, START_SECONDS, "the first process runs")
    demo.signal(signal.SIGINT)
    assert demo.wait(STOP_SECONDS) == 0, demo.text()
    assert demo.left() == []


def test_killed_hard_it_leaves_no_process(demo: Demo) -> None:
    demo.start()
    demo.said("all parts run", START_SECONDS)
    demo.signal(signal.SIGKILL)
    demo.wait(STOP_SECONDS)
    wait_for(lambda: not demo.processes(), STOP_SECONDS, "every process has ended")


def test_a_part_that_does_not_start_is_named_with_its_log(demo: Demo) -> None:
    demo.start("--once", "--after-render=rm -rf")  # the configurations are gone
    assert demo.wait(STOP_SECONDS + START_SECONDS * 2) == 1
    assert "alertmanager does not answer" in demo.text()
    assert "alertmanager.yml" in demo.text()
    assert demo.left() == []
