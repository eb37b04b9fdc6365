"""The demo: a small site that behaves like Supercheck, watched by this bundle, and a fault to see it at work.

Everything runs as processes of this machine, on free ports of 127.0.0.1, in one temporary directory. Ctrl-C
ends them all and removes it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from compose.demo.database import DatabaseError
from compose.demo.manager import DemoError, Manager
from compose.demo.parts import Parts
from compose.demo.story import Story

ONCE_SECONDS = 1200.0
AGAIN_AFTER_SECONDS = 300.0


class Stopped(BaseException):
    """A signal that asks the demo to end; its text is the signal's name."""


def say(text: str) -> None:
    """Print a line at once; a closed terminal is no reason to leave processes behind."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # once is enough: what follows tidies up
    raise Stopped(signal.Signals(number).name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo ARGS=...", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="end after the page and its resolve; 1 if they fail")
    what.add_argument(
        "--rest", type=float, metavar="SECONDS", help="no fault; 1 if any alert but Watchdog fires meanwhile"
    )
    what.add_argument("--repeat", action="store_true", help="make the fault again and again")
    parser.add_argument(
        "--within", type=float, default=ONCE_SECONDS, metavar="SECONDS", help="time for page and resolve (%(default)g)"
    )
    parser.add_argument(
        "--fault-after", type=float, default=15.0, metavar="SECONDS", help="healthy before the fault (%(default)g)"
    )
    parser.add_argument(
        "--back-after", type=float, default=15.0, metavar="SECONDS", help="from the page to the mend (%(default)g)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory, logs and all")
    parser.add_argument(
        "--after-render",
        default="",
        metavar="COMMAND",
        help="run this on the folder of rendered configurations before anything starts",
    )
    return parser.parse_args()


def _run(arguments: argparse.Namespace, directory: Path) -> list[str]:
    """Run the demo in `directory`; returns what went wrong."""
    parts = Parts(directory, directory.name)
    said = parts.render(arguments.after_render)
    (directory / "render.log").write_text(said, encoding="utf-8")
    parts.store.prepare()
    manager = Manager(directory, parts.programs(), parts.env)
    try:
        manager.wait_ready()
        story = Story(parts, manager, say)
        say("What runs where (on this machine only)")
        for name, address, purpose in parts.table():
            say(f"  {name:<13} {address:<38} {purpose}")
        say("Ctrl-C ends it all.\n")
        story.start()
        if arguments.rest is not None:
            return story.rest(arguments.rest)
        wrong = story.trouble(arguments.fault_after, arguments.back_after, arguments.within)
        while arguments.repeat and not wrong:
            story.stay(AGAIN_AFTER_SECONDS)
            wrong = story.trouble(arguments.fault_after, arguments.back_after, float("inf"))
        if not arguments.once:
            for problem in wrong:
                say(f"went wrong: {problem}")
            story.event("the site goes on, healthy, until Ctrl-C")
            story.stay()
        return wrong
    except Stopped as stopped:
        say(f"\n{stopped} received")
        raise
    finally:
        say("ending every process ...")
        manager.shutdown()


def main() -> int:
    """Run the demo; 0 when all went as told, 1 when not, 130 when a check was interrupted."""
    arguments = _arguments()
    os.umask(0o077)  # its folder may be passed through (see Parts); what is in it is nobody else's
    bounded = arguments.once or arguments.rest is not None
    directory = Path(tempfile.mkdtemp(prefix="supercheck-demo-"))
    try:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, _stop)
        wrong = _run(arguments, directory)
    except Stopped:
        wrong = []
        return 130 if bounded else 0
    except (DemoError, DatabaseError) as error:
        wrong = [str(error)]
    finally:
        if arguments.keep:
            say(f"kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
    for problem in wrong:
        say(f"went wrong: {problem}")
    if not wrong:
        say("all as told")
    return 1 if wrong else 0
