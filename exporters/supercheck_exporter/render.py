"""Write everything that Prometheus and Alertmanager read (configurations, rules, messages), and Loki's rules.

`supercheck-exporter render --out DIR` is the one way to do it: compose runs it before the two start, and so
do the demo and the tests. DIR/prometheus, DIR/alertmanager and DIR/loki can be mounted apart.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from supercheck_exporter import alertmanager, config
from supercheck_exporter.rules import RuleError, bundle_root, render_rules
from supercheck_exporter.static_pages import static_pages

# Names of the settings that fill prometheus.yml, with the services of compose.yaml as defaults.
# What is watched without these three is not watched: an empty one is the default.
NEEDED_TARGETS = {
    "EXPORTER_TARGETS": "exporter:9820",
    "PROMETHEUS_TARGET": "prometheus:9090",
    "ALERTMANAGER_TARGET": "alertmanager:9093",
}
# A site may do without any of these: an empty one leaves its scrape job out, so that no alert waits for it.
OPTIONAL_TARGETS = {
    "OTEL_COLLECTOR_TARGET": "otel-collector:8888",
    "LOG_COLLECTOR_TARGET": "log-collector:8888",
    "SPANS_TARGET": "otel-collector:8889",
    "LOKI_TARGET": "loki:3100",
    "TEMPO_TARGET": "tempo:3200",
    "JAEGER_TARGET": "jaeger:8888",
    "GRAFANA_TARGET": "grafana:3000",
    "NODE_TARGET": "node-exporter:9100",
}
TARGETS = NEEDED_TARGETS | OPTIONAL_TARGETS

LOKI_RULES = "loki/rules/fake"
"""Loki's ruler wants a folder a tenant, and calls the only one "fake" where it asks nobody who he is."""

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_JOB = re.compile(r"\n(?=  - job_name: )")
_HERE_ONLY = re.compile(r"https?://(127\.|localhost\b|\[::1\])")
_TARGET = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9_.-]+):(\d{1,5})")


@dataclass(frozen=True)
class Report:
    """`written` files, `problems` to mend (the start goes on), `warnings` on who is not reached, `notes`."""

    written: list[Path]
    problems: list[str]
    warnings: list[str]
    notes: list[str]


def render(out: Path, env: Mapping[str, str], pages: Path | None = None) -> Report:
    """Write the configurations into `out`; files are replaced whole, rule files of a former version go.

    Into `pages` the runbooks for Grafana to give out, where it is given.

    Raises config.ConfigError with every bad setting before anything is written, and OSError when `out` cannot
    be written. An incomplete alert channel is no error: it is left out and named in the report.
    """
    problems: list[str] = []
    rules: dict[str, str] = {}
    # only what is used here: the render service has no Redis password mounted, and needs none
    relevant = {k: v for k, v in env.items() if k == "PUBLIC_URL" or k.startswith("THRESHOLD_")}
    try:
        settings = config.load(relevant)
        rules = render_rules(settings.thresholds, settings.public_url)
    except config.ConfigError as error:
        problems += error.problems
    except RuleError as error:
        problems.append(str(error))
    targets = _targets(env, problems)
    try:
        delivery = alertmanager.plan(env)
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise config.ConfigError(problems)

    root = bundle_root()
    source = (root / "compose/prometheus/prometheus.yml").read_text(encoding="utf-8")
    files = {Path("prometheus/prometheus.yml"): fill(without_jobs(source, TARGETS.keys() - targets), targets)}
    files |= {_rule_file(name): text for name, text in rules.items()}
    files[Path("alertmanager/alertmanager.yml")] = delivery.to_yaml()
    for template in sorted((root / "compose/alertmanager").glob("*.tmpl")):
        files[Path("alertmanager/templates") / template.name] = template.read_text(encoding="utf-8")

    for name, text in files.items():
        _replace(out / name, text)
    for folder, pattern in (
        ("prometheus/rules", "*.yaml"),
        (LOKI_RULES, "*.yaml"),
        ("alertmanager/templates", "*.tmpl"),
    ):
        for path in (out / folder).glob(pattern):
            if path.relative_to(out) not in files:
                path.unlink()
    written = [out / name for name in files]
    if pages is not None:
        written += _write_pages(pages)
    return Report(written, delivery.problems, delivery.warnings, delivery.notes)


def _write_pages(folder: Path) -> list[Path]:
    """The runbooks and redirects as files; those of a former version go."""
    made = {folder / name: text for name, text in static_pages().items()}
    for path, text in made.items():
        _replace(path, text)
    for path in (*folder.glob("runbooks/*"), *folder.glob("d/*")):
        if path not in made:
            path.unlink()
    return list(made)


def _rule_file(name: str) -> Path:
    """Where a rendered rule file goes, "loki/logs.yaml" or "alerts/queue.yaml"."""
    kind, _, file = name.partition("/")
    # one folder for both kinds of Prometheus: recording/queue.yaml and alerts/queue.yaml have names of their own there
    return Path(LOKI_RULES) / file if kind == "loki" else Path("prometheus/rules") / f"{kind}-{file}"


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each ${NAME} replaced; raises KeyError for a name that has no value."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def without_jobs(text: str, names: Set[str]) -> str:
    """`text` of a prometheus.yml without the scrape jobs that name one of these placeholders.

    A job reaches from its `- job_name:` to the next one, or to the end: scrape_configs is the last part.
    """
    head, *jobs = _JOB.split(text)
    return "\n".join([head, *(job for job in jobs if names.isdisjoint(_PLACEHOLDER.findall(job)))])


def _targets(env: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Each target setting but those set to nothing, as a YAML list (JSON is YAML); appends a line on each bad one."""
    lists: dict[str, str] = {}
    for name, default in TARGETS.items():
        text = env.get(name, default).strip()
        if not text and name in OPTIONAL_TARGETS:
            continue
        text = text or default
        targets = [part.strip() for part in text.split(",") if part.strip()]
        for target in targets:
            match = _TARGET.fullmatch(target)
            if match is None or not 0 < int(match[2]) < 65536:
                problems.append(f"{name} is {text!r}: allowed are host:port addresses, separated by commas.")
                break
        lists[name] = json.dumps(targets)
    return lists


def _replace(path: Path, text: str) -> None:
    """Write `path` so that a reader sees the old text or the new one, never a part; readable by every user.

    Other users must read it: Prometheus and Alertmanager run as users of their own, and no secret is in it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    scratch = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `supercheck-exporter render`."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--pages", type=Path, metavar="DIR", help="folder for the runbooks as static pages")


def main_render(arguments: argparse.Namespace, env: Mapping[str, str] | None = None) -> int:
    """Run `supercheck-exporter render`: 0 when written, 2 on a bad setting, 1 when DIR cannot be written."""
    env = os.environ if env is None else env
    try:
        report = render(arguments.out, env, arguments.pages)
    except config.ConfigError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    for line in (*report.problems, *report.warnings):
        print(f"warning: {line}", file=sys.stderr)
    for line in report.notes:
        print(line)
    if _HERE_ONLY.match(env.get("PUBLIC_URL", "")):
        print(
            f"links in pages begin with {env['PUBLIC_URL']}, so they open on this host only: "
            "PUBLIC_URL with compose's profile front makes them open elsewhere"
        )
    print(f"{len(report.written)} files written to {arguments.out}")
    return 0
