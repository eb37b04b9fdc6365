"""Names of BullMQ's keys, and what CLIENT LIST and a job's hash say."""

from __future__ import annotations

import base64

import pytest
from supercheck_exporter.bullmq import keys

AWKWARD = [
    "plain",
    'say "hi"',
    "back\\slash",
    "two\nlines",
    "größe-測試-🚀",
    "with space",
    "{hash}tag",
    "a*?[b]^-c",
    "\udcff\udcfe",  # bytes that are not UTF-8, as they come from Redis and from the environment
]
PREFIXES = ["bull", "{bull}", "my:app:bull", "b*ll", "préfixe"]


@pytest.mark.parametrize("queue", AWKWARD)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_queue_is_found_by_its_meta_key(prefix: str, queue: str) -> None:
    assert keys.queue_of_meta_key(prefix, keys.queue_base(prefix, queue) + b"meta") == queue


def test_a_queue_s_keys_hold_the_bytes_of_its_name() -> None:
    assert keys.queue_base("a:b", "größe") == "a:b:größe:".encode()
    assert keys.queue_base("bull", "\udcff") == b"bull:\xff:"


@pytest.mark.parametrize(
    "key",
    [
        b"bull:meta",  # no queue
        b"bull::meta",  # an empty one
        b"bull:q:events",
        b"bull:q:meta:x",
        b"bull:q:1:meta",  # a job id with a colon, or another prefix
        b"bully:q:meta",
        b"other:q:meta",
        b":q:meta",
        b"bull:q",
        b"",
    ],
)
def test_other_keys_are_no_queue(key: bytes) -> None:
    assert keys.queue_of_meta_key("bull", key) is None


def test_a_prefix_is_not_the_start_of_a_longer_one() -> None:
    assert keys.queue_of_meta_key("a", b"a:b:q:meta") is None
    assert keys.queue_of_meta_key("a:b", b"a:b:q:meta") == "q"


@pytest.mark.parametrize(
    ("queue", "label"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ("größe", "größe"),
        ("a\udcffb", "a\\xffb"),
        ("half \ud83d", "half ?"),
    ],
)
def test_a_name_as_a_label(queue: str, label: str) -> None:
    assert keys.label(queue) == label
    keys.label(queue).encode()  # it is Unicode text whatever the name was


# -- MATCH patterns --------------------------------------------------------------------------------


def matches(pattern: str, text: str) -> bool:
    """Redis's own matching (stringmatchlen in util.c), for the characters that mean something to it."""
    p = t = 0
    while p < len(pattern) and t < len(text):
        char = pattern[p]
        if char == "*":
            return any(matches(pattern[p + 1 :], text[i:]) for i in range(t, len(text) + 1))
        if char == "[":
            p += 1
            negated = p < len(pattern) and pattern[p] == "^"
            p += negated
            found = False
            while p < len(pattern) and pattern[p] != "]":
                if pattern[p] == "\\" and p + 1 < len(pattern):
                    p += 1
                    found |= pattern[p] == text[t]
                elif p + 2 < len(pattern) and pattern[p + 1] == "-":
                    low, high = sorted((pattern[p], pattern[p + 2]))
                    found |= low <= text[t] <= high
                    p += 2
                else:
                    found |= pattern[p] == text[t]
                p += 1
            if found == negated:
                return False
        elif char == "\\" and p + 1 < len(pattern):
            p += 1
            if pattern[p] != text[t]:
                return False
        elif char not in ("?", text[t]):
            return False
        p += 1
        t += 1
    return t == len(text) and not pattern[p:].strip("*")


def test_the_matcher_of_this_test_knows_the_special_characters() -> None:
    for pattern, text in (("a*", "abc"), ("h[a-c]t", "hbt"), ("h[^e]t", "hat"), ("a?c", "abc"), ("a\\*", "a*")):
        assert matches(pattern, text)
    for pattern, text in (("a\\*", "abc"), ("h[^a]t", "hat"), ("h[a-c]t", "hdt"), ("a?c", "ac"), ("[ab]", "c")):
        assert not matches(pattern, text)


@pytest.mark.parametrize("prefix", [*PREFIXES, "a[bc]d", "x?y", "back\\slash", "[^a-z]", "-", "*"])
def test_an_escaped_prefix_matches_itself_only(prefix: str) -> None:
    pattern = f"{keys.glob_escape(prefix)}:*:meta"
    assert matches(pattern, f"{prefix}:queue:meta")
    for other in ("bull2", "abd", "xzy", "q", "bxll"):
        if other != prefix:
            assert not matches(pattern, f"{other}:queue:meta")


# -- CLIENT LIST -----------------------------------------------------------------------------------


def line(name: str, number: int = 3) -> str:
    return (
        f"id={number} addr=127.0.0.1:5000{number} laddr=127.0.0.1:6379 fd=8 name={name} db=0 cmd=bzpopmin user=default"
    )


def encoded(queue: str, prefix: str = "bull") -> str:
    return f"{prefix}:" + base64.b64encode(queue.encode("utf-8", "surrogateescape")).decode()


def test_workers_are_counted_by_their_connections_names() -> None:
    answer = "\n".join(
        [
            line(encoded("a")),
            line(encoded("a")),
            line(f"{encoded('a')}:w:worker 1".split(" ")[0]),
            line(f"{encoded('b')}:w:name:with:colons"),
            line(f"{encoded('b')}:qe"),  # an event listener
            line(encoded("unknown")),
            line(encoded("a", "other")),
            line("supercheck-exporter"),
            line(""),
            "",
        ]
    )
    assert keys.consumers("bull", answer.encode(), ["a", "b", "c"]) == {"a": 3, "b": 1, "c": 0}


@pytest.mark.parametrize("queue", AWKWARD)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_awkward_names_are_counted(prefix: str, queue: str) -> None:
    answer = line(encoded(queue, prefix)).encode()
    assert keys.consumers(prefix, answer, [queue, "other"]) == {queue: 1, "other": 0}


def test_a_queue_whose_name_begins_like_another_is_not_it() -> None:
    # base64 of "abc" is the start of base64 of "abcdef"
    answer = line(encoded("abcdef")).encode()
    assert keys.consumers("bull", answer, ["abc", "abcdef"]) == {"abc": 0, "abcdef": 1}


def test_no_clients_at_all() -> None:
    assert keys.consumers("bull", b"", ["a"]) == {"a": 0}


# -- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestamp", "opts", "ready"),
    [
        (b"1000", b'{"delay":500}', 1500.0),
        (b"1000", b'{"attempts":3}', 1000.0),
        (b"1000", b"{}", 1000.0),
        (b"1000", b"", 1000.0),
        (b"1000", None, 1000.0),
        (b"1000", b'{"delay":null}', 1000.0),
        (b"1000", b'{"delay":"250"}', 1250.0),
        (None, b"{}", None),
        (b"soon", b"{}", None),
        (b"1000", b"not json", None),
        (b"1000", b"[]", None),
        (b"1000", b'{"delay":{"a":1}}', None),
        (b"1000", b"[" * 100_000, None),
        (b"1000", b"\xff\xfe", None),
        (b"nan", b"{}", None),
        (b"1000", b'{"delay":Infinity}', None),
    ],
)
def test_when_a_first_attempt_was_ready(timestamp: bytes | None, opts: bytes | None, ready: float | None) -> None:
    assert keys.ready_ms_of_first_attempt(timestamp, opts) == ready


@pytest.mark.parametrize(
    ("text", "value"), [(b"5", 5.0), (b"1.5", 1.5), (None, None), (b"", None), (b"x", None), (b"nan", None)]
)
def test_a_number_of_a_field(text: bytes | None, value: float | None) -> None:
    assert keys.number(text) == value
