"""What the tests of the preview look at: a Prometheus with two hours of a story, the preview's server, and Chromium.

By hand: `PYTHONPATH=tests python -m e2e.preview_stack trouble` serves a story until it is interrupted.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import yaml
from e2e.history import AHEAD_SECONDS, SPAN_SECONDS, openmetrics, story
from playwright.sync_api import Browser, sync_playwright
from servers.monitoring import Prometheus, monitoring_program
from servers.process import missing, require_program

ROOT = Path(__file__).resolve().parents[2]
PREVIEW = ROOT / "dashboards" / "preview"
# Without the background-networking flags Chromium asks hosts of its maker at every start.
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def told(name: str, now: float) -> Iterator[Prometheus]:
    """Run a Prometheus that holds the story `name` (see history.py) and what the recording rules make of it.

    `now`, in Unix seconds, is the moment at which the story ends.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        config = folder / "prometheus.yml"
        config.write_text("{}\n")
        prometheus = Prometheus(config)
        data = prometheus.directory / "data"
        metrics = folder / "history.txt"
        with metrics.open("w") as file:
            file.writelines(openmetrics(story(name, now), now))
        _promtool("openmetrics", str(metrics), str(data))
        try:
            # Twice: the second time for rules that read what the first time recorded.
            for made in (folder / "first", folder / "second"):
                prometheus.start()
                _record(prometheus.url, now, made)
                prometheus.terminate()
                for block in made.iterdir():
                    shutil.move(block, data / block.name)
            yield prometheus.start()
        finally:
            prometheus.stop()


def _record(url: str, now: float, folder: Path) -> None:
    files = sorted((ROOT / "alert-rules" / "recording").glob("*.yaml"))
    rules = [str(file) for file in files if yaml.safe_load(file.read_text("utf-8"))]
    span = (f"--start={int(now - SPAN_SECONDS)}", f"--end={int(now + AHEAD_SECONDS)}", "--eval-interval=15s")
    _promtool("rules", f"--url={url}", *span, f"--output-dir={folder}", *rules)


def _promtool(*arguments: str) -> None:
    command: list[str | Path] = [monitoring_program("promtool"), "tsdb", "create-blocks-from", *arguments]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def server_module() -> ModuleType:
    """Return dashboards/preview/serve.py, which stands in a folder that is no package."""
    spec = importlib.util.spec_from_file_location("preview_serve", PREVIEW / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(prometheus: str, *folders: Path, **variables: str) -> Iterator[str]:
    """Serve the dashboards of `folders` (ours by default) on a Prometheus' address; yield the page's address."""
    require_build()
    server = server_module().make_server(
        ("127.0.0.1", 0), prometheus, folders=list(folders) or None, variables=variables
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def require_build() -> None:
    """Skip (fail under CI) without a build; fail on one that is older than its sources."""
    page = PREVIEW / "dist" / "index.html"
    if not page.is_file():
        missing("the built preview: run compose/install.sh test")
    newest = max((PREVIEW / "src").iterdir(), key=lambda file: file.stat().st_mtime)
    assert newest.stat().st_mtime <= page.stat().st_mtime, f"{newest.name} is newer than the build: npm run build"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium."""
    with sync_playwright() as playwright:
        program = str(require_program("chromium"))
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def main() -> None:
    """Serve a story until interrupted."""
    with told(sys.argv[1], time.time()) as prometheus, served(prometheus.url, *map(Path, sys.argv[2:])) as page:
        sys.stdout.write(f"{page}/ on Prometheus {prometheus.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
