"""One request with a deadline, against servers that answer badly in every way that is cheap to make."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from servers.process import free_port
from servers.redis import LOOPBACK, Certificates
from servers.web import DRIPPING_BODY, DRIPPING_HEAD, HANG, RESET, Asked, Raw, Reply, Web
from supercheck_exporter.sources.http import HttpError, fetch

LONG, SHORT = 30.0, 0.3
"""Seconds of a deadline that must not pass, and of one that must."""


def failure(url: str, deadline: float = LONG, **more: object) -> HttpError:
    with pytest.raises(HttpError) as caught:
        fetch(url, deadline=deadline, **more)  # type: ignore[arg-type]
    return caught.value


def test_an_answer_is_told_whatever_its_status() -> None:
    with Web(Reply(503, {"X-One": "a", "Age": "7"}, b"sorry")) as web:
        answer = fetch(f"{web.url}/path?query=1#part", deadline=LONG, headers={"X-Sent": "yes"})
        (asked,) = web.asked
    assert (answer.status, answer.body, answer.whole) == (503, b"sorry", True)
    assert (answer.headers["x-one"], answer.headers["age"]) == ("a", "7")
    assert answer.certificate_expires_at is None
    assert answer.seconds > 0
    assert (asked.method, asked.path) == ("GET", "/path?query=1")
    assert (asked.headers["x-sent"], asked.headers["user-agent"]) == ("yes", "supercheck-exporter")


def test_headers_that_are_repeated_are_one_list() -> None:
    with Web(
        Raw(b"HTTP/1.1 200 OK\r\nCache-Status: a; hit\r\nCache-Status: b; hit\r\nContent-Length: 0\r\n\r\n")
    ) as web:
        assert fetch(web.url, deadline=LONG).headers["cache-status"] == "a; hit, b; hit"


def test_a_body_is_sent_and_a_long_answer_is_cut() -> None:
    with Web(Reply(body=b"x" * 100_000)) as web:
        answer = fetch(web.url, deadline=LONG, method="POST", body=b'{"query":"{x}"}', max_bytes=70_000)
        (asked,) = web.asked
    assert (asked.method, asked.body) == ("POST", b'{"query":"{x}"}')
    assert (answer.body, answer.whole) == (b"x" * 70_000, False)


def test_the_head_alone_can_be_asked_for() -> None:
    with Web(Reply(headers={"Content-Length": "5"}, body=b"hello")) as web:
        answer = fetch(web.url, deadline=LONG, method="HEAD")
    assert (answer.status, answer.body, answer.whole) == (200, b"", True)


@pytest.mark.parametrize("answer", [HANG, DRIPPING_HEAD, DRIPPING_BODY], ids=["hangs", "drips its head", "drips"])
def test_the_deadline_holds_against_a_server_that_hangs_or_drips(answer: Raw) -> None:
    with Web(answer) as web:
        problem = failure(f"{web.url}/secret", SHORT)
    assert problem.reason == "timeout"
    assert str(problem) == f"{LOOPBACK}:{web.port} does not answer within 0.3 s"


def test_the_deadline_holds_against_a_port_that_takes_the_connection_and_no_tls() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        assert failure(f"https://{LOOPBACK}:{listener.getsockname()[1]}", SHORT).reason == "timeout"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (RESET, "broken"),
        (Raw(b""), "broken"),
        (Raw(b"220 mail ESMTP\r\n"), "broken"),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "broken"),
    ],
    ids=["resets", "says nothing", "speaks something else", "stops half-way"],
)
def test_what_is_no_whole_answer_is_none(answer: Raw, reason: str) -> None:
    with Web(answer) as web:
        assert failure(web.url).reason == reason


def test_nobody_there_and_no_such_name() -> None:
    assert failure(f"http://{LOOPBACK}:{free_port()}").reason == "refused"
    assert failure("http://no-such-name.invalid").reason == "name"
    assert failure(f"http://{'x' * 64}.invalid").reason == "name"


def tls_context(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    ca, cert, key = Certificates().write(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, ca


def test_tls_is_verified_and_the_end_of_the_certificate_is_told(tmp_path: Path) -> None:
    context, ca = tls_context(tmp_path)
    with Web(Reply(body=b"ok"), tls=context) as web:
        trusted = fetch(web.url, deadline=LONG, ca_file=ca)
        assert trusted.body == b"ok"
        assert trusted.certificate_expires_at is not None
        problem = failure(web.url)
        assert problem.reason == "tls"
        assert "certificate" in str(problem)
        unverified = fetch(web.url, deadline=LONG, verify=False)
        assert (unverified.body, unverified.certificate_expires_at) == (b"ok", None)
    with Web(Reply()) as plain:
        assert failure(plain.url.replace("http:", "https:")).reason == "tls"


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    problem = failure(f"https://{LOOPBACK}:{free_port()}", ca_file=tmp_path / "ca.pem")
    assert str(problem) == f"{tmp_path / 'ca.pem'} can't be read as CA certificates (PEM): check the file"


def test_one_of_several_addresses_is_asked() -> None:
    with Web(Reply(body=b"second"), host="127.0.0.2") as web:
        url = f"http://name.invalid:{web.port}/"
        assert fetch(url, deadline=LONG, address="127.0.0.2").body == b"second"
        assert web.asked[0].headers["host"] == f"name.invalid:{web.port}"


def redirecting(asked: Asked) -> Reply:
    ways = {"/first": "/second", "/second": "/third?x=1", "/away": "http://elsewhere.invalid/", "/round": "/round"}
    if asked.path in ways:
        return Reply(302, {"Location": ways[asked.path]})
    return Reply(body=asked.path.encode())


def test_redirects_are_followed_on_the_same_server_only_and_only_so_many() -> None:
    with Web(redirecting) as web:
        assert fetch(f"{web.url}/first", deadline=LONG).status == 302
        assert fetch(f"{web.url}/first", deadline=LONG, redirects=1).headers["location"] == "/third?x=1"
        assert fetch(f"{web.url}/first", deadline=LONG, redirects=5).body == b"/third?x=1"
        assert fetch(f"{web.url}/away", deadline=LONG, redirects=5).status == 302
        assert fetch(f"{web.url}/round", deadline=LONG, redirects=3).status == 302


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:{free_port()}")
    with Web(Reply(body=b"direct")) as web:
        assert fetch(web.url, deadline=LONG).body == b"direct"
