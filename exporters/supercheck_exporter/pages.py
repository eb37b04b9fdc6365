"""The pages that people open: status, runbooks, the way to the dashboards. Plain HTML, no script."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from markdown_it import MarkdownIt

from supercheck_exporter import __version__
from supercheck_exporter.alertmanager import NOBODY
from supercheck_exporter.collectors import cdn, dependencies, endpoints, pgbouncer, postgres, s3, vault
from supercheck_exporter.collectors.redis import UP as NODE_UP
from supercheck_exporter.core import Run
from supercheck_exporter.rules import bundle_root
from supercheck_exporter.settings import Settings
from supercheck_exporter.signals import Signal, over_threshold, show

ASK_SECONDS = 2.0

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.45 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:.75rem;overflow-wrap:break-word}
h1{font-size:1.35rem;margin:.4rem 0}h2{font-size:1.05rem;margin:1.4rem 0 .3rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0}
tr{border-bottom:1px solid #8884}td{overflow-wrap:anywhere}td:not(:last-child){min-width:4rem}
@media(max-width:40rem){.rows tr{display:flex;flex-wrap:wrap;padding:.3rem 0}
.rows td{max-width:100%;padding:0 .8rem 0 0}}
.bad{color:#c4162a;font-weight:600}.warn{color:#b35a00;font-weight:600}.good{color:#1a7f37;font-weight:600}
@media(prefers-color-scheme:dark){.bad{color:#ff7383}.warn{color:#ffab5e}.good{color:#5fd38d}}
pre{overflow-x:auto;background:#8882;padding:.6rem}
nav a{margin-right:1rem}.note{border-left:.25rem solid #b35a00;padding:.2rem .7rem;margin:.7rem 0}
"""

UP_OR_DOWN = {True: '<span class="good">up</span>', False: '<span class="bad">down</span>'}

_NAME = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class Page:
    """An HTTP status and an HTML document."""

    status: int
    body: str


def document(title: str, body: str, status: int = 200) -> Page:
    """A whole page around a body that is HTML already."""
    head = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
    )
    # every link leads somewhere also behind the front, which shows no /metrics
    nav = '<nav><a href="/">Status</a><a href="/runbooks/">Runbooks</a></nav>'
    return Page(status, f"{head}<body>{nav}<main>{body}</main></body></html>")


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def status_page(
    settings: Settings,
    runs: Sequence[Run],
    last_success: Mapping[str, float | None],
    problems: Mapping[str, str],
    progress: Mapping[str, str] = MappingProxyType({}),
) -> Page:
    """Is each source up, what is over its threshold, how did each collector's last run go.

    ``problems`` says what is wrong with servers that are down, by their names; ``progress`` how far long readings are.
    """
    esc = html.escape
    now = time.time()
    failed = [run for run in runs if not run.success]
    signals = over_threshold(runs, settings.thresholds)
    servers = _redis(settings, runs, problems)
    others = [*_databases(settings, runs), *_vault(runs, problems), *_probed(runs, problems)]
    parts = [f"<h1>Supercheck exporter: {_verdict(servers, others, failed, signals)}</h1>"]
    parts += [f'<p class="note">{esc(line)}</p>' for line in who_is_paged(settings.alertmanager_url)]
    parts.append("<h2>Over their threshold now</h2>")
    if signals:
        rows = [
            _row(
                f'<span class="{"bad" if s.severity == "critical" else "warn"}">{s.severity}</span>',
                f'<a href="/runbooks/{s.alert}">{s.alert}</a>',
                esc(s.subject),
                f"{s.value} (limit {s.limit})" if s.limit else s.value,
            )
            for s in signals
        ]
        parts.append(
            '<table class="rows">'
            + "".join(rows)
            + "</table><p>The alert rules decide after how long someone is woken.</p>"
        )
    else:
        parts.append("<p>Nothing" + (", as far as it can be read" if failed else "") + ".</p>")
    parts.append('<h2>Sources</h2><table class="rows">')
    parts += [_row("Redis", esc(name), UP_OR_DOWN[up], esc(why)) for name, up, why in servers]
    parts += [_row(kind, esc(name), UP_OR_DOWN[up], esc(why)) for kind, name, up, why in others]
    parts.append('</table><h2>Collectors</h2><table class="rows">')
    for run in runs:
        word = '<span class="good">ok</span>' if run.success else '<span class="bad">failed</span>'
        success = last_success.get(run.collector)
        ago = f"last success {show(now - success, 'seconds')} ago" if success else "no success yet"
        detail = _many(len(run.samples), "value") if run.success else f"{esc(run.error)} ({ago})"
        parts.append(_row(esc(run.collector), word, f"{run.duration * 1000:.0f} ms", detail))
    if progress:
        parts.append('</table><h2>Read in the background</h2><table class="rows">')
        parts += [_row(esc(name), esc(line)) for name, line in progress.items()]
    parts.append(f"</table><p>Version {__version__}, {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))} UTC</p>")
    return document("Supercheck exporter", "".join(parts))


def _verdict(
    servers: Sequence[tuple[str, bool, str]],
    others: Sequence[tuple[str, str, bool, str]],
    failed: Sequence[Run],
    signals: Sequence[Signal],
) -> str:
    """The one line that a person reads first: the cause before what follows from it."""
    found = []
    down = [name for name, up, _ in servers if not up]
    if down:
        found.append(("bad", "Redis is down" if len(down) == len(servers) else f"Redis is down at {', '.join(down)}"))
    found += [("bad", f"{kind} is down") for kind, _, up, _ in others if not up]
    if not found and failed:
        found.append(("bad", f"can't read {', '.join(run.collector for run in failed)}"))
    if signals:
        critical = any(signal.severity == "critical" for signal in signals)
        found.append(("bad" if critical else "warn", _many(len(signals), "signal") + " over the threshold"))
    if not found:
        found.append(("good", "nothing is over its threshold"))
    return ", ".join(f'<span class="{style}">{html.escape(text)}</span>' for style, text in found)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _redis(settings: Settings, runs: Sequence[Run], problems: Mapping[str, str]) -> list[tuple[str, bool, str]]:
    """Each server of Redis: its name, whether it is up, why not."""
    if settings.redis_host is None:
        return []
    nodes = [sample for run in runs for sample in run.samples if sample.desc is NODE_UP]
    if nodes:
        return [
            (f"{name} ({role})" if settings.redis_cluster else name, up == 1, problems.get(name, ""))
            for _, (name, role), up in nodes
        ]
    error = next((run.error for run in runs if run.error), "")
    return [(f"{settings.redis_host}:{settings.redis_port}", not error, error)]


def _databases(settings: Settings, runs: Sequence[Run]) -> list[tuple[str, str, bool, str]]:
    """PgBouncer, PostgreSQL and S3, where they are set: what it is, the setting, whether it is up, why not."""
    found = []
    set_up = (
        ("PgBouncer", "PGBOUNCER_URL" if settings.pgbouncer_url else "", pgbouncer.UP),
        ("PostgreSQL", settings.database[0] if settings.database else "", postgres.UP),
        ("S3", "S3_ENDPOINT" if settings.s3_endpoint else "", s3.UP),
    )
    for kind, setting, up in set_up:
        for run in runs:
            values = [sample.value for sample in run.samples if sample.desc is up]
            if setting and values:
                found.append((kind, setting, values == [1], run.error))
    return found


def _vault(runs: Sequence[Run], problems: Mapping[str, str]) -> list[tuple[str, str, bool, str]]:
    """Each node of Vault, as above."""
    nodes = [sample for run in runs for sample in run.samples if sample.desc is vault.UP]
    return [("Vault", name, up == 1, problems.get(name, "")) for _, (name,), up in nodes]


def _probed(runs: Sequence[Run], problems: Mapping[str, str]) -> list[tuple[str, str, bool, str]]:
    """What is probed from outside: what it is, that it is probed, whether it is up, what is wrong with it."""
    found = []
    words = {endpoints.UP.name: "Endpoint", dependencies.UP.name: "Dependency", cdn.UP.name: "CDN file"}
    for sample in (sample for run in runs for sample in run.samples if sample.desc.name in words):
        kind = f"{words[sample.desc.name]} {sample.labels[0]}"
        found.append((kind, "probed", sample.value == 1, problems.get(kind, "")))
    return found


def who_is_paged(alertmanager_url: str | None) -> list[str]:
    """What Alertmanager says of its receivers, where it is worth a warning; never raises."""
    if alertmanager_url is None:
        return []
    import requests  # 5 MiB that nobody needs without ALERTMANAGER_URL

    try:
        answer = requests.get(f"{alertmanager_url}/api/v2/receivers", timeout=ASK_SECONDS)
        answer.raise_for_status()
        names = {str(receiver["name"]) for receiver in answer.json()}
    except (requests.RequestException, ValueError, KeyError, TypeError):
        where = re.sub("//[^/]*@", "//", alertmanager_url)  # without a login
        return [f"Alertmanager does not answer at {where}: nobody may be paged."]
    if NOBODY in names:
        return ["Nobody is paged: Alertmanager has no receiver. Set one of the ALERT_ settings (see the manual)."]
    return []


def runbook_index() -> Page:
    """The list of the runbooks."""
    names = sorted(path.stem for path in (bundle_root() / "alert-rules/runbooks").glob("*.md"))
    items = "".join(f'<li><a href="/runbooks/{name}">{name}</a></li>' for name in names)
    return document("Runbooks", f"<h1>Runbooks</h1><ul>{items}</ul>")


def runbook(name: str) -> Page:
    """One runbook, by the name of its alert."""
    path = bundle_root() / "alert-rules/runbooks" / f"{name}.md"
    if not _NAME.fullmatch(name) or not path.is_file():
        return document("No such runbook", "<h1>No such runbook</h1><p>See the list under Runbooks.</p>", 404)
    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(path.read_text(encoding="utf-8"))
    return document(name, text)


def no_dashboards() -> Page:
    """What stands where Grafana's address is not known."""
    return document(
        "No dashboards",
        "<h1>Where are the dashboards?</h1><p>Set GRAFANA_URL to the address at which people open Grafana, "
        "for example http://127.0.0.1:3001, and start the exporter again.</p>",
        404,
    )
