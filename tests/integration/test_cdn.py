"""Probes of a CDN: what its cache says, down and up again, and a target that hangs while the others are probed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.exporter import Exporter, Samples, run_cli
from servers.process import free_port, wait_for
from servers.redis import LOOPBACK
from servers.web import DRIPPING_BODY, HANG, Asked, Raw, Reply, Web

UP, SECONDS, AGE = "supercheck_cdn_probe_up", "supercheck_cdn_probe_seconds", "supercheck_cdn_object_age_seconds"
QUICKLY = {"CDN_PROBE_INTERVAL_SECONDS": "1", "CDN_PROBE_TIMEOUT_SECONDS": "0.5"}


def answer(asked: Asked) -> Reply | Raw:
    if asked.path.startswith("/hang"):
        return HANG
    if asked.path.startswith("/drip"):
        return DRIPPING_BODY
    if asked.path.startswith("/gone"):
        return Reply(404)
    if asked.path.startswith("/moved"):
        return Reply(302, {"Location": "http://elsewhere.invalid/", "X-Cache": "Miss from cloudfront"})
    return Reply(200, {"Cache-Status": "CDN; hit", "Age": "90"}, b"x" * 2_000_000)


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    """The CDN."""
    with Web(answer) as running:
        yield running


@pytest.fixture(scope="module")
def exporter(web: Web) -> Iterator[Exporter]:
    """An exporter with a target of each kind."""
    paths = {"logo": "/logo.png?secret-word=1", "hangs": "/hang", "drips": "/drip", "gone": "/gone", "moved": "/moved"}
    urls = {name: web.url + path for name, path in paths.items()} | {"refused": f"http://{LOOPBACK}:{free_port()}/x"}
    settings = {"CDN_PROBE_URLS": ",".join(f"{name}={url}" for name, url in urls.items())}
    with Exporter(settings | QUICKLY) as process:
        yield process


def probed(exporter: Exporter) -> Samples:
    """A page on which every target is known."""

    def known() -> Samples | None:
        samples = exporter.scrape("cdn")
        return samples if len(samples.labels(UP)) == 6 else None

    found = wait_for(known, 60, "every target was probed")
    assert found is not None
    return found


def test_each_target_is_up_or_not_by_itself(exporter: Exporter) -> None:
    samples = probed(exporter)
    assert samples.values(UP, "target") == {
        "logo": 1, "moved": 1, "hangs": 0, "drips": 0, "gone": 0, "refused": 0,
    }  # fmt: skip
    assert samples.values(AGE, "target") == {"logo": 90}
    assert samples.value("supercheck_scrape_collector_success", collector="cdn") == 1
    times = {(labels["target"], labels["cache"]) for labels in samples.labels(f"{SECONDS}_count")}
    assert times == {("logo", "hit"), ("moved", "miss")}, "an answer that does not count as up has no time"
    page = exporter.page("/")
    for reason in ("does not answer within 0.5 s", "it answers 404", "refuses the connection"):
        assert reason in page
    assert "secret-word" not in page + exporter.page("/metrics") + exporter.log()


def test_a_target_that_hangs_delays_no_other_and_no_page(web: Web, exporter: Exporter) -> None:
    probed(exporter)
    before = len([asked for asked in web.asked if asked.path.startswith("/logo")])
    wait_for(
        lambda: len([asked for asked in web.asked if asked.path.startswith("/logo")]) > before + 1,
        60,
        "the logo is probed again, and again",
    )
    assert exporter.scrape("cdn", deadline=2.0).value(UP, target="logo") == 1


def test_nothing_but_the_file_is_asked_for(web: Web, exporter: Exporter) -> None:
    probed(exporter)
    assert {asked.method for asked in web.asked} == {"GET"}
    assert not any({"cookie", "authorization"} & set(asked.headers) for asked in web.asked)


def test_down_and_up_again(web: Web) -> None:
    with Web(Reply(503)) as own:
        settings = {"CDN_PROBE_URLS": f"logo={own.url}/logo.png", **QUICKLY}
        with Exporter(settings) as process:
            process.wait_value(0, UP, 30, target="logo")
            own.answer = Reply(200, {"CF-Cache-Status": "EXPIRED"})
            samples = process.wait_value(1, UP, 60, target="logo")
            assert samples.labels(f"{SECONDS}_count") == [{"target": "logo", "cache": "expired"}]
            assert samples.value(AGE, target="logo") is None


def test_check_tries_each_file(web: Web) -> None:
    said = run_cli(
        "check", settings={"CDN_PROBE_URLS": f"a={web.url}/logo,b={web.url}/gone,c={web.url}/hang", **QUICKLY}
    )
    assert said.returncode == 2
    assert "The sample file b of CDN_PROBE_URLS is answered 404: give one that is public." in said.stdout
    assert f"The sample file c of CDN_PROBE_URLS: {LOOPBACK}:{web.port} does not answer within 0.5 s." in said.stdout
    assert "The sample file a" not in said.stdout
