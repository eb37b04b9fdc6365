"""``supercheck-exporter``: serve, check, metrics, render, lifecycle, prepare."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from supercheck_exporter import __version__, prepare, render
from supercheck_exporter.catalogue import catalogue, markdown
from supercheck_exporter.check import NO_SOURCE, check
from supercheck_exporter.collectors import TABLE, missing
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.core import Runner
from supercheck_exporter.http import serve
from supercheck_exporter.settings import Settings
from supercheck_exporter.site import Site
from supercheck_exporter.storage import lifecycle
from supercheck_exporter.telemetry import start_logging


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 when it can't run, 2 on bad settings."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.command == "serve":
        return _serve(args, os.environ)
    if args.command == "check":
        return _check(os.environ)
    if args.command == "lifecycle":
        return lifecycle.main_lifecycle(args, os.environ)
    if args.command == "prepare":
        return prepare.main_prepare(args)
    if args.command == "render":
        return render.main_render(args)
    if args.json:
        print(json.dumps([vars(entry) for entry in catalogue()], indent=2))
    else:
        print(markdown(), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="supercheck-exporter",
        description="Prometheus exporter for Supercheck. Settings are read from the environment: see the manual.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve /metrics, the status page and the runbooks")
    serving.add_argument("--listen", default="127.0.0.1:9820", type=_address, metavar="HOST:PORT")
    serving.add_argument(
        "--collector", action="append", choices=TABLE, metavar="NAME", help=f"only these of: {', '.join(TABLE)}"
    )
    commands.add_parser("check", help="try the settings and each source; exit 2 and say what to mend")
    metrics = commands.add_parser("metrics", help="print the catalogue of metrics")
    metrics.add_argument("--json", action="store_true", help="as JSON")
    lifecycle.add_arguments(commands.add_parser("lifecycle", help="plan and write lifecycle rules of the buckets"))
    render.add_arguments(commands.add_parser("render", help="write the configurations of Prometheus and Alertmanager"))
    prepare.add_arguments(commands.add_parser("prepare", help="make the secrets of compose's first start"))
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, for example 127.0.0.1:9820")
    return host.strip("[]"), int(port)


def _serve(args: argparse.Namespace, env: Mapping[str, str]) -> int:
    try:
        settings = load(env)
        names = _chosen(args.collector, settings)
    except ConfigError as error:
        return _complain(error.problems)
    start_logging(settings.log_level)
    stop_tracing = _start_tracing(settings)
    site = Site(settings)
    runner = Runner([make(site) for name, (_, make) in TABLE.items() if name in names])
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        serve(settings, runner, args.listen, stop)
    except OSError as error:
        host, port = args.listen
        print(f"error: --listen {host}:{port} can't be had: {error.strerror or error}", file=sys.stderr)
        return 1
    finally:
        stop_tracing()
    return 0


def _start_tracing(settings: Settings) -> Callable[[], None]:
    """Traces where a receiver is set; returns what ends them."""
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        return lambda: None
    from supercheck_exporter import tracing

    return tracing.start(tracing.otlp(endpoint, settings.otel_exporter_otlp_protocol))


def _chosen(asked: Sequence[str] | None, settings: Settings) -> list[str]:
    """The collectors whose sources are set; ConfigError where there is none, or one that was asked for is not."""
    lacking = {name: missing(name, settings) for name in asked or TABLE}
    if asked and any(lacking.values()):
        raise ConfigError(
            [f"--collector {name} needs {' and '.join(needs)}." for name, needs in lacking.items() if needs]
        )
    names = [name for name, needs in lacking.items() if not needs]
    if not names:
        raise ConfigError([NO_SOURCE])
    return names


def _check(env: Mapping[str, str]) -> int:
    problems, notes = check(env)
    for note in notes:
        print(f"note: {note}")
    if problems:
        return _complain(problems)
    print("ok")
    return 0


def _complain(problems: Sequence[str]) -> int:
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 2
