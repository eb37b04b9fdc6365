"""The pages that links lead to, as files for Grafana to give out: runbooks, and the way from an alert to its dashboard.

Where nothing but Grafana is published, PUBLIC_URL is the folder of Grafana's own static files in which these lie
(compose mounts them at `public/supercheck`), so that no link in an alert, a message or a dashboard is dead. The
exporter serves the same pages itself; only the status page is no file, because it is made when it is asked.
"""

from __future__ import annotations

import re
from pathlib import Path

from supercheck_exporter import pages
from supercheck_exporter.rules import bundle_root, templates

_DASHBOARD = re.compile(r"\$\{PUBLIC_URL\}/d/([A-Za-z0-9_-]+)")
_OTHER = re.compile(r'href="([A-Za-z0-9]+)\.md(?=["#])')

NO_STATUS = (
    "<h1>Status</h1><p>This page is made by the exporter, which is not published. On the host:</p>"
    "<pre>docker compose -f compose/compose.yaml exec exporter supercheck-exporter check</pre>"
    "<p>With the profile <code>front</code> (compose/front/README.md) this address is that of the page itself.</p>"
)


def static_pages() -> dict[Path, str]:
    """Every page by its path below PUBLIC_URL. The names have no ending: they are those that the exporter serves."""
    root = bundle_root() / "alert-rules"
    found = {
        Path("index.html"): _moved(pages.document("Status", NO_STATUS).body, ""),
        Path("runbooks/index.html"): _moved(pages.runbook_index().body, "../"),
    }
    for path in sorted((root / "runbooks").glob("*.md")):
        found[Path("runbooks") / path.stem] = _moved(pages.runbook(path.stem).body, "../")
    rules = "".join(text for _, text in templates(root / "src").values())
    for uid in sorted(set(_DASHBOARD.findall(rules))):
        found[Path("d") / uid] = _redirect(uid)
    return found


def _moved(body: str, up: str) -> str:
    """A page whose links begin at the exporter's root, made to begin at the folder's."""
    # runbooks name each other as the files they are in the repository
    body = _OTHER.sub(r'href="\1', body)
    return body.replace('href="/"', f'href="{up or "./"}"').replace('href="/', f'href="{up}')


def _redirect(uid: str) -> str:
    """To Grafana's own address of a dashboard, three folders up; the variables go along where scripts run."""
    target = f"../../../d/{uid}"
    head = f'<noscript><meta http-equiv="refresh" content="0; url={target}"></noscript>'
    script = f'<script>location.replace("{target}" + location.search)</script>'
    return f'<!doctype html><html lang="en"><meta charset="utf-8">{head}{script}<a href="{target}">Dashboard</a></html>'
