"""Starts what the preview's tests look at: a Prometheus with two hours of a story, and the preview's server."""

import importlib.util
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import requests
import yaml
from history import SPAN_SECONDS, openmetrics, story

ROOT = Path(__file__).resolve().parents[2]
PREVIEW = ROOT / "dashboards" / "preview"
READY_SECONDS = 60


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended: {log.read_text()[-2000:]}")
        try:
            if requests.get(f"{url}/-/ready", timeout=1).ok:
                return
        except requests.ConnectionError:
            pass
        threading.Event().wait(0.1)
    raise RuntimeError(f"{url} was not ready in {READY_SECONDS} s: {log.read_text()[-2000:]}")


@contextmanager
def _run_prometheus(folder: Path) -> Iterator[str]:
    """Run a Prometheus that scrapes nothing on the blocks in folder/data; yield its address."""
    (folder / "prometheus.yml").write_text("{}\n")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def recording_rules() -> list[Path]:
    """Return the rendered recording rules, as they are checked in."""
    return sorted((ROOT / "alert-rules" / "recording").glob("*.yaml"))


@contextmanager
def prometheus(folder: Path, name: str) -> Iterator[str]:
    """Run a Prometheus that holds the story `name` and what the recording rules make of it; yield its address."""
    now = time.time()
    data = folder / "data"
    metrics = folder / "history.txt"
    with metrics.open("w") as file:
        file.writelines(openmetrics(story(name, now), now))
    _promtool("tsdb", "create-blocks-from", "openmetrics", str(metrics), str(data))
    rules = [str(file) for file in recording_rules() if yaml.safe_load(file.read_text())]
    if rules:
        made = folder / "recorded"
        with _run_prometheus(folder) as url:
            start = int(now - SPAN_SECONDS)
            times = (f"--start={start}", f"--end={int(now)}", "--eval-interval=15s")
            _promtool("tsdb", "create-blocks-from", "rules", f"--url={url}", *times, f"--output-dir={made}", *rules)
        for block in made.iterdir():
            shutil.move(block, data / block.name)
    with _run_prometheus(folder) as url:
        yield url


def _promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"promtool {' '.join(arguments[:3])}: {done.stdout}{done.stderr}")


def _serve_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("preview_serve", PREVIEW / "serve.py")
    if spec is None or spec.loader is None:
        raise ImportError("serve.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def preview(prometheus_url: str, *folders: Path) -> Iterator[str]:
    """Run the preview's server in a thread, for the dashboards of `folders` (ours by default); yield its address."""
    server = _serve_module().make_server(("127.0.0.1", 0), prometheus_url, folders=list(folders) or None)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def main() -> None:
    """Serve a story by hand: `python tests/e2e/preview_stack.py trouble`."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        with prometheus(Path(folder), sys.argv[1]) as url, preview(url, *map(Path, sys.argv[2:])) as page:
            sys.stdout.write(f"{page}/ on Prometheus {url}\n")
            sys.stdout.flush()
            threading.Event().wait()


if __name__ == "__main__":
    main()
