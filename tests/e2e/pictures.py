"""Makes the README's pictures of dashboards: `make pictures` starts the demo, and takes them at rest and in trouble.

A demo that runs already is named by the address of its dashboards. It is taken once its page fires, and left running:

    PYTHONPATH=tests .venv/bin/python -m e2e.pictures http://127.0.0.1:PORT
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import requests
from e2e.preview_page import open_page, show_whole, wait_until_drawn
from e2e.preview_stack import ROOT, chromium
from playwright.sync_api import Browser
from servers.process import wait_for

PICTURES = ROOT / "dashboards" / "pictures"
# what the README shows, and what of it at rest too
SHOWN = ("supercheck-overview", "supercheck-queues", "supercheck-workers", "supercheck-capacity")
AT_REST = "supercheck-overview"
FAULT_AFTER = 180
# for a minute already, so that the graphs have its mark
FIRING = 'count(ALERTS{alertstate="firing",severity="critical"} offset 1m)'
# for two minutes and more, so that rates are drawn
WATCHED = 'up{job="supercheck-exporter"} offset 140s == 1'


def holds(url: str, query: str) -> bool:
    """Whether a query of the Prometheus behind the preview returns anything."""
    try:
        answer = requests.get(f"{url}/prometheus/api/v1/query", {"query": query}, timeout=10)
        return bool(answer.json()["data"]["result"])
    except (requests.RequestException, KeyError):  # the demo is starting
        return False


def take(browser: Browser, url: str, uid: str, span: str, file: Path, *, full: bool) -> None:
    """Write a picture of a dashboard's last `span` (such as 15m); RuntimeError when its console has an error."""
    look = open_page(browser, f"{url}/d/{uid}?refresh=&from=now-{span}&to=now")
    wait_until_drawn(look.page)
    if full:
        show_whole(look.page)
    look.page.screenshot(path=file)
    look.page.close()
    if look.console:
        raise RuntimeError(f"{uid}: {look.console}")
    sys.stdout.write(f"{file}\n")


@contextmanager
def demo() -> Iterator[str]:
    """Run the demo; gives the address of its dashboards, and ends it as Ctrl-C does."""
    # the fault lasts until the pictures are taken
    command = [sys.executable, "-u", "-m", "compose.demo", f"--fault-after={FAULT_AFTER}", "--back-after=600"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                sys.stdout.write(line)
                if line.split()[:1] == ["dashboards"]:
                    yield line.split()[1]
                    return
            raise RuntimeError("the demo ended, or its dashboards are not built: make test builds them")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def main() -> int:
    """Make the pictures and say where they are."""
    parser = argparse.ArgumentParser(description="Pictures of the dashboards, from a running demo.")
    parser.add_argument("url", nargs="?", help="address of a running demo's dashboards; without it one is started")
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder of the pictures (%(default)s)")
    parser.add_argument("--span", default="5m", help="how far back the pictures reach (%(default)s)")
    parser.add_argument(
        "--firing", type=float, default=600, metavar="SECONDS", help="wait at most so long for a page (%(default)s)"
    )
    parser.add_argument("--dashboard", action="append", metavar="UID", help=f"only these ({', '.join(SHOWN)})")
    parser.add_argument("--full", action="store_true", help="whole dashboards, not the first screen of each")
    options = parser.parse_args()
    with nullcontext(options.url) if options.url else demo() as address:
        url = address.rstrip("/")
        options.out.mkdir(parents=True, exist_ok=True)
        with chromium() as browser:
            if not options.url:
                wait_for(lambda: holds(url, WATCHED), FAULT_AFTER, "the demo is watched for a while")
                take(browser, url, AT_REST, "3m", options.out / f"{AT_REST}-at-rest.png", full=options.full)
            wait_for(lambda: holds(url, FIRING), options.firing, "a page fires in the demo")
            for uid in options.dashboard or SHOWN:
                take(browser, url, uid, options.span, options.out / f"{uid}.png", full=options.full)
    return 0


if __name__ == "__main__":
    sys.exit(main())
