"""Nothing secret reaches a store: every shape of secret_shapes.py through the real collector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from integration.secret_shapes import KEYED, LEFT, SQL, STATEMENTS, TEXTS, Shape
from servers.collector import Collector
from servers.otlp import OtlpSink, Span
from servers.process import wait_for
from servers.spans import Sent, send

STATEMENT = "select 'hunter2', 4242"


def in_every_place(text: str) -> Sent:
    """A span that has the text in its name, its error, its attributes and its events."""
    return Sent(
        text,
        attributes={"note": text, "list": ["harmless", text]},
        error=text,
        events={"exception": {"exception.message": text, "exception.stacktrace": f"Error: {text}\n at x"}, text: {}},
    )


@pytest.fixture(scope="module")
def stored() -> Iterator[dict[str, Span]]:
    """What is stored of each shape, by its name, and of each harmless text."""
    sent = {shape.name: in_every_place(str(shape.value)) for shape in TEXTS}
    sent |= {shape.name: Sent("query", attributes={shape.key: shape.value}) for shape in KEYED + STATEMENTS}
    sent |= {text: Sent("query", attributes={"note": text}, error=text) for text in LEFT}
    sent[STATEMENT] = Sent("query", attributes={"db.statement": STATEMENT})
    texts = {shape.name: str(shape.value) for shape in TEXTS}
    with OtlpSink() as store, Collector(tempo=store.url) as collector:
        for name, span in sent.items():
            assert send(collector.endpoint, [span], **{"process.command": texts.get(name, "")}) == 200
        wait_for(lambda: len(store.spans) >= len(sent), 60, "every span arrived")
        found = {span.id: span for span in store.spans}
        yield {name: found[span.id] for name, span in sent.items()}


def left(shape: Shape, found: Span) -> list[str]:
    """The secrets that are still anywhere in a span; its ids are random and may look like one."""
    everything = repr((found.name, found.error, found.attributes, found.events, found.resource))
    return [secret for secret in shape.secrets if secret in everything]


def test_there_are_thirty_shapes_and_more() -> None:
    assert len({shape.name for shape in TEXTS + KEYED + STATEMENTS}) == len(TEXTS + KEYED + STATEMENTS) > 30


@pytest.mark.promise("nothing secret in a trace")
@pytest.mark.parametrize("shape", TEXTS, ids=lambda shape: shape.name)
def test_a_sentence_anywhere_in_a_span(stored: dict[str, Span], shape: Shape) -> None:
    found = stored[shape.name]
    assert left(shape, found) == []
    (_, exception), (event, _) = found.events
    places = found.error, event, found.attributes["note"], exception["exception.message"]
    assert [place for place in places if shape.keeps not in place] == []
    assert not any("~" in key for key in [*found.attributes, *exception])


@pytest.mark.promise("nothing secret in a trace")
@pytest.mark.parametrize("shape", KEYED + STATEMENTS, ids=lambda shape: shape.name)
def test_an_attribute_that_is_named_as_what_it_is(stored: dict[str, Span], shape: Shape) -> None:
    found = stored[shape.name]
    assert left(shape, found) == []
    assert shape.keeps in found.attributes[shape.key]


def test_the_former_name_of_a_statement(stored: dict[str, Span]) -> None:
    assert stored[STATEMENT].attributes == {SQL: "select ?, ?"}


@pytest.mark.parametrize("text", LEFT)
def test_what_says_something_is_left(stored: dict[str, Span], text: str) -> None:
    found = stored[text]
    assert (found.attributes["note"], found.error) == (text, text)
