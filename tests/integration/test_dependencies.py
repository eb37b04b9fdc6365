"""Dependencies that fail and come back: the breaker's exact moments by a clock that the test moves, on real servers."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.authority import Authority
from servers.mail import MailServer
from servers.process import free_port, wait_for
from servers.s3 import VersityServer
from servers.web import DRIPPING_BODY, DRIPPING_HEAD, HANG, RESET, Raw, Reply, Web
from supercheck_exporter.breakers.watch import Found
from supercheck_exporter.config import load
from supercheck_exporter.probing.prober import Prober, Result
from supercheck_exporter.settings.dependencies import SERVICES
from supercheck_exporter.site import Site

LONG = 60.0
CANARY = "canary-77c0"
START = 5000.0


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Driver:
    """One dependency's probes by a clock of the test; servers and sockets are real."""

    def __init__(self, env: dict[str, str], name: str) -> None:
        self.clock = Clock()
        site = Site(load(env))
        site.clock = self.clock
        (self.watch,) = [watch for watch in site.dependencies if watch.name == name]
        self.begun: list[float] = []
        self.ended: list[float] = []
        record, deadline, ask = self.watch.record, self.watch.deadline, self.watch.probe

        def begins(now: float) -> float:
            self.begun.append(now - START)
            return deadline(now)

        def ends(result: Result[Found]) -> None:
            record(result)
            self.ended.append(result.ended - START)

        self.watch.deadline = begins  # type: ignore[method-assign]
        self.watch.record = ends  # type: ignore[method-assign]
        # the deadline is the test's clock's alone
        self.watch.probe = lambda seconds: ask(LONG)  # type: ignore[method-assign]
        self.prober = Prober([self.watch], self.clock, lambda: 0.0)

    def begin(self) -> float:
        """Go on until the next probe begins; returns when that is."""
        number = len(self.begun)
        pause = self.prober.advance()
        while len(self.begun) == number:
            self.clock.now += pause
            pause = self.prober.advance()
        return self.begun[number]

    def probe(self) -> float:
        """Go on to the next probe and through it, as it comes back by itself; returns when it began."""
        number = len(self.ended)
        began = self.begin()
        # one that hung until now may have to come back first
        wait_for(lambda: (self.prober.advance(), len(self.ended) > number)[1], LONG, "the probe is over")
        return began

    def hang(self) -> float:
        """Go on until the next probe is given up; returns when that is."""
        number = len(self.ended)
        while len(self.ended) == number:
            self.clock.now += self.prober.advance()
            self.prober.advance()
        return self.ended[number]

    @property
    def state(self) -> str:
        return self.watch.view().state


def test_a_dependency_that_refuses_opens_after_eight_seconds() -> None:
    port = free_port()
    with Web(Reply(200), port=port) as web:
        driver = Driver({"DEPENDENCIES": f"thing={web.url}"}, "thing")
        assert [driver.probe(), driver.probe()] == [0, 15]
        assert driver.state == "closed"
    began = [driver.probe() for _ in range(5)]
    assert began == [30, 32, 34, 36, 38]
    assert driver.state == "open"
    assert driver.watch.view().transitions["closed", "open"] == 1
    # nothing is asked for 30 s, then the first failure opens it again
    assert driver.probe() == 68
    assert (driver.state, driver.watch.view().state_seconds["half_open"]) == ("open", 0)
    with Web(Reply(200), port=port) as web:
        assert [driver.probe() for _ in range(3)] == [98, 100, 102]
        assert driver.state == "closed"
        assert driver.probe() == 117
        assert [asked.method for asked in web.asked] == ["GET"] * 4
    assert driver.watch.view().state_seconds == {"closed": 53, "open": 60, "half_open": 4}


@pytest.mark.parametrize("answer", [HANG, DRIPPING_HEAD, DRIPPING_BODY], ids=["hangs", "drips its head", "drips"])
def test_a_dependency_that_hangs_opens_as_well(answer: Raw) -> None:
    with Web(Reply(200)) as web:
        driver = Driver({"DEPENDENCIES": f"thing={web.url}"}, "thing")
        driver.probe()
        web.answer = answer
        # the first is given the whole timeout, the others 1.9 s, and begin 2 s after one another
        assert [driver.hang() for _ in range(5)] == pytest.approx([20, 21.9, 23.9, 25.9, 27.9])
        assert driver.state == "open"
        assert driver.hang() == pytest.approx(57.9 + 5)
        assert driver.state == "open"


@pytest.mark.parametrize("answer", [RESET, Reply(500), Reply(503, {"Retry-After": "600"}), Raw(b"220 hello\r\n")])
def test_what_counts_as_a_failure(answer: Reply | Raw) -> None:
    with Web(answer) as web:
        driver = Driver({"DEPENDENCIES": f"thing={web.url}/{CANARY}"}, "thing")
        assert [driver.probe() for _ in range(5)] == [0, 2, 4, 6, 8]
        assert driver.state == "open"
        assert CANARY not in driver.watch.view().problem


@pytest.mark.parametrize("answer", [Reply(204), Reply(302, {"Location": "/x"}), Reply(401), Reply(404), Reply(429)])
def test_what_counts_as_an_answer(answer: Reply) -> None:
    with Web(answer) as web:
        driver = Driver({"DEPENDENCIES": f"thing={web.url}"}, "thing")
        assert [driver.probe() for _ in range(3)] == [0, 15, 30]
        assert (driver.state, driver.watch.view().up, driver.watch.view().problem) == ("closed", True, "")
        assert [asked.method for asked in web.asked] == ["GET"] * 3


@pytest.mark.parametrize(("asked", "next_probe"), [("120", 120), ("7", 15), ("90000", 300), ("soon", 15), ("-1", 15)])
def test_who_is_asked_too_often_is_left_alone(asked: str, next_probe: float) -> None:
    with Web(Reply(429, {"Retry-After": asked})) as web:
        driver = Driver({"DEPENDENCIES": f"thing={web.url}"}, "thing")
        assert [driver.probe(), driver.probe()] == [0, next_probe]


def test_one_failure_makes_probes_frequent_for_ten_seconds() -> None:
    with Web(Reply(500)) as web:
        driver = Driver({"DEPENDENCIES": f"thing={web.url}"}, "thing")
        driver.probe()
        web.answer = Reply(200)
        assert [driver.probe() for _ in range(7)] == [2, 4, 6, 8, 10, 25, 40]


def test_services_have_an_address_of_their_own() -> None:
    site = Site(load({"DEPENDENCIES": "slack, discord,telegram,openai"}))
    assert [watch.name for watch in site.dependencies] == list(SERVICES)
    assert all(url.startswith("https://") for url in SERVICES.values())


# ---- SMTP


def smtp(server: MailServer, **more: str) -> dict[str, str]:
    return {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(server.port), **more}


def test_a_mail_server_is_asked_and_gets_no_mail() -> None:
    with MailServer() as server:
        driver = Driver(smtp(server), "smtp")
        driver.probe()
        assert (driver.watch.view().up, driver.watch.view().certificate_expires) == (True, None)
        wait_for(lambda: "QUIT" in server.verbs, LONG, "it is left politely")
        assert server.verbs == ["EHLO", "NOOP", "QUIT"]


@pytest.mark.parametrize("secure", [False, True])
def test_starttls_and_the_end_of_the_certificate(tmp_path: Path, secure: bool) -> None:
    authority = Authority(tmp_path)
    ends = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=9)
    with MailServer(authority.server(ends=ends), secure=secure) as server:
        env = smtp(server, SMTP_SECURE=str(secure).lower(), PROBE_CA_FILE=str(authority.path))
        driver = Driver(env, "smtp")
        driver.probe()
        assert driver.watch.view().problem == ""
        assert driver.watch.view().certificate_expires == ends.timestamp()
        wait_for(lambda: "QUIT" in server.verbs, LONG, "it is left politely")
        assert server.verbs == (["EHLO"] if secure else ["EHLO", "STARTTLS", "EHLO"]) + ["NOOP", "QUIT"]


def test_a_mail_server_with_an_expired_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    over = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    with MailServer(authority.server(ends=over)) as server:
        driver = Driver(smtp(server, PROBE_CA_FILE=str(authority.path)), "smtp")
        driver.probe()
        assert "certificate has expired" in driver.watch.view().problem
        assert server.verbs == ["EHLO", "STARTTLS"]


def test_an_outage_of_the_mail_server() -> None:
    with MailServer() as server:
        driver = Driver(smtp(server), "smtp")
        driver.probe()
    assert [driver.probe() for _ in range(5)] == [15, 17, 19, 21, 23]
    assert driver.state == "open"
    with MailServer(port=server.port):
        assert [driver.probe() for _ in range(3)] == [53, 55, 57]
        assert driver.state == "closed"


def test_a_mail_server_that_hangs() -> None:
    with MailServer() as server:
        driver = Driver(smtp(server), "smtp")
        driver.probe()
    with Web(Reply(), port=server.port):  # waits for a request, as we wait for its greeting
        assert [driver.hang() for _ in range(5)] == pytest.approx([20, 21.9, 23.9, 25.9, 27.9])
        assert driver.state == "open"


@pytest.mark.parametrize(
    ("greeting", "text"),
    [
        (b"421 4.7.0 " + CANARY.encode() + b"\r\n", "answers 421 to the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "breaks off in its reply to the connection"),
        (b"220 ready\r\n", "breaks off in its reply to EHLO"),
        (b"", "breaks off in its reply to the connection"),
    ],
)
def test_what_is_no_mail_server(greeting: bytes, text: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        driver = Driver({"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(listener.getsockname()[1])}, "smtp")
        driver.begin()
        connection, _ = listener.accept()
        with connection:
            connection.sendall(greeting)
            connection.shutdown(socket.SHUT_WR)
            wait_for(lambda: driver.ended, LONG, "the probe is over")
        assert text in driver.watch.view().problem
        assert CANARY not in driver.watch.view().problem


def test_a_mail_server_that_goes_down_while_it_is_asked() -> None:
    with MailServer() as server:
        server.refuses = True
        driver = Driver(smtp(server), "smtp")
        driver.probe()
        assert driver.watch.view().problem == f"127.0.0.1:{server.port} answers 421 to NOOP"


# ---- S3


@pytest.fixture(scope="module")
def store() -> Iterator[VersityServer]:
    with VersityServer() as server:
        yield server


def test_an_outage_of_the_object_store(store: VersityServer) -> None:
    driver = Driver(store.exporter_env(), "s3")
    driver.probe()
    assert (driver.watch.view().up, driver.watch.view().problem) == (True, "")
    store.freeze()
    try:
        assert [driver.hang() for _ in range(5)] == pytest.approx([20, 21.9, 23.9, 25.9, 27.9])
        assert driver.state == "open"
    finally:
        store.thaw()
    assert [driver.probe() for _ in range(3)] == pytest.approx([57.9, 59.9, 61.9])
    assert driver.state == "closed"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"AWS_SECRET_ACCESS_KEY": CANARY}, "answers 403 and refuses us"),
        ({"AWS_ACCESS_KEY_ID": CANARY}, "answers 403 and refuses us"),
        ({"S3_TEST_BUCKET_NAME": "not-there"}, "answers 404 and has no such bucket"),
    ],
)
def test_an_object_store_that_lets_us_not_in(store: VersityServer, more: dict[str, str], text: str) -> None:
    driver = Driver(store.exporter_env() | more, "s3")
    driver.probe()
    assert text in driver.watch.view().problem
    assert CANARY not in driver.watch.view().problem


def test_an_object_store_is_only_asked_for_a_head() -> None:
    with Web(Reply(200)) as web:
        env = {"S3_ENDPOINT": web.url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": CANARY}
        driver = Driver(env, "s3")
        driver.probe()
        (asked,) = web.asked
        assert asked.method == "HEAD"
        assert asked.path.startswith("/playwright-test-artifacts?")
        assert "X-Amz-Signature" in asked.path
        assert asked.headers["host"] == f"127.0.0.1:{web.port}"
