"""LogQL and TraceQL parsed by the grammars of Grafana's own editors: Loki and Tempo themselves are not to be had here.

A grammar knows the syntax only: whether a label or a function's argument exists is not seen.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from typing import Literal

from servers.nodejs import install_packages, node_program

Language = Literal["logql", "traceql"]
NODE_SECONDS = 60.0

# What Grafana puts in before a query is sent. ${__tags} is what `tags` of tracesToLogsV2 makes of a span.
_FILLED = (
    (re.compile(r"\$\{__tags\}"), 'service_name="supercheck-app"'),
    (re.compile(r"\$\{__trace\.traceId\}|\$\{__span\.traceId\}"), "0123456789abcdef0123456789abcdef"),
    (re.compile(r"\$\{__value\.raw\}"), "0123456789abcdef0123456789abcdef"),
    (re.compile(r"\$__(?:rate_interval|interval|auto|range)\b"), "5m"),
)


def filled(query: str) -> str:
    """`query` with Grafana's own variables replaced; a dashboard's variables stand in strings, where any text may."""
    for pattern, value in _FILLED:
        query = pattern.sub(value, query)
    return query


def problems(language: Language, queries: Sequence[str]) -> list[str | None]:
    """For each query None, or the place that the grammar does not understand; one process for all of them."""
    asked = json.dumps([(language, filled(query)) for query in queries])
    done = subprocess.run(
        [node_program(), install_packages() / "queries.cjs"],
        input=asked, capture_output=True, text=True, timeout=NODE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[str | None] = json.loads(done.stdout)
    assert len(found) == len(queries)
    return found
