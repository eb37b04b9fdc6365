"""The pages that Grafana gives out where nothing else is published: every link of a rule or page leads to one."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from contract.feature_list import ROOT
from contract.test_compose_entry import resolved
from supercheck_exporter import cli
from supercheck_exporter.rules import render_rules
from supercheck_exporter.static_pages import static_pages
from supercheck_exporter.thresholds import default_thresholds

GRAFANA = "http://127.0.0.1:3001"
PUBLIC_URL = f"{GRAFANA}/public/supercheck"
# of alerts on logs; its dashboard comes with that of the traces
AHEAD = {"supercheck-traces-and-logs"}
PAGES = {path.as_posix(): text for path, text in static_pages().items()}


def found(url: str) -> bool:
    """Whether Grafana has something there: one of these files, an index, or a dashboard of its own."""
    if url.startswith(f"{GRAFANA}/d/"):
        uid = urlsplit(url).path[3:]
        return uid in AHEAD or (ROOT / "dashboards" / f"{uid}.json").is_file()
    if not url.startswith(f"{PUBLIC_URL}/"):
        return False
    path = unquote(urlsplit(url).path.removeprefix("/public/supercheck/"))
    return path in PAGES or f"{path}index.html" in PAGES


@pytest.mark.promise("no dead link")
def test_compose_s_default_address_is_where_they_lie() -> None:
    services = resolved({})
    for name in ("config", "exporter"):
        assert services[name]["environment"]["PUBLIC_URL"] == PUBLIC_URL
    mounts = {mount["target"]: mount for mount in services["grafana"]["volumes"]}
    mount = mounts["/usr/share/grafana/public/supercheck"]
    assert (mount["source"], mount["read_only"]) == ("pages", True)
    assert "config" in services["grafana"]["depends_on"]
    assert resolved({"GRAFANA_PORT": "4000"})["config"]["environment"]["PUBLIC_URL"].startswith(
        "http://127.0.0.1:4000/"
    )
    assert resolved({"PUBLIC_URL": "https://o"})["config"]["environment"]["PUBLIC_URL"] == "https://o"


@pytest.mark.promise("no dead link")
def test_every_link_of_an_alert_leads_somewhere() -> None:
    rules = "".join(render_rules(default_thresholds(), PUBLIC_URL).values())
    links = set(re.findall(rf'"({PUBLIC_URL}/[^"]*)"', rules))
    assert len(links) > 100
    assert [link for link in links if not found(link.partition("?")[0])] == []
    assert not found(f"{PUBLIC_URL}/runbooks/NoSuchAlert"), "the check can fail"
    assert not found(f"{GRAFANA}/d/no-such")


@pytest.mark.promise("no dead link")
def test_every_link_of_a_page_leads_somewhere() -> None:
    dead = []
    for path, text in PAGES.items():
        here = f"{PUBLIC_URL}/{path.removesuffix('index.html')}"
        for link in re.findall(r'(?:href="|url=)([^"#]+)', text):
            if urlsplit(link).scheme not in {"http", "https"} and not found(urljoin(here, link).partition("?")[0]):
                dead.append(f"{path}: {link}")
    assert dead == []


def test_they_are_pages_by_their_first_bytes() -> None:
    # they have no ending, so a server looks there
    assert all(text.startswith("<!doctype html>") for text in PAGES.values())


def test_a_way_to_a_dashboard_keeps_the_alert_s_variables() -> None:
    page = PAGES["d/supercheck-queues"]
    assert 'location.replace("../../../d/supercheck-queues" + location.search)' in page
    assert 'content="0; url=../../../d/supercheck-queues"' in page


def test_render_writes_them_and_takes_old_ones_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = tmp_path / "pages"
    (pages / "runbooks").mkdir(parents=True)
    (pages / "runbooks/OfAnOldVersion").write_text("x")
    assert cli.main(["render", "--out", str(tmp_path / "config"), "--pages", str(pages)]) == 0
    written = {path.relative_to(pages).as_posix() for path in pages.rglob("*") if path.is_file()}
    assert written == set(PAGES)
    assert {path.stat().st_mode & 0o444 for path in pages.rglob("*") if path.is_file()} == {0o444}
    capsys.readouterr()


@pytest.mark.parametrize(("url", "here"), [(PUBLIC_URL, True), ("https://o.example.com", False), ("", False)])
def test_render_says_where_links_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str, here: bool
) -> None:
    monkeypatch.setenv("PUBLIC_URL", url)
    assert cli.main(["render", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert (f"links in pages begin with {url}, so they open on this host only" in said) == here
