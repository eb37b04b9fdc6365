"""The runbooks: one an alert, complete, with links that resolve and commands that say what they change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from contract.log_rules import LOG_ALERTS
from contract.query_grammars import problems
from contract.rule_files import ALERTS, FOREIGN, RECORDS, RULES
from supercheck_exporter.catalogue import catalogue
from supercheck_exporter.pages import runbook, runbook_index

RUNBOOKS = sorted((RULES / "runbooks").glob("*.md"))
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
CHANGES = "# CHANGES the watched system: "
# what changes Supercheck or its Redis; the bundle's own services (-f compose/compose.yaml) are not the watched system
MUTATING = re.compile(
    r"docker (restart|kill|stop|start|rm|run)"
    r"|docker compose (?!-f compose/compose\.yaml)[^\n]*\b(up|restart|stop|down|rm)\b"
    r"|\br (\w+ )?(DEL|UNLINK|PERSIST|EXPIRE|SET|HSET|HDEL|LREM|RPUSH|LPUSH|ZADD|ZREM|XTRIM|FLUSH\w+|CONFIG)\b"
    r"|redis-cli (DEL|UNLINK|PERSIST|EXPIRE|SET|FLUSH\w+|CONFIG)\b|kubectl[^\n]*\b(delete|edit|scale|apply|rollout)\b"
    r"|vault (operator (un)?seal|audit (en|dis)able|kv put|policy write|token (create|renew|revoke))\b"
    r"|\b(update|delete|insert) (from|into|\w+ set)\b"
    r'|"(select count\()?(select )?(pg_(terminate|cancel)_backend|pg_reload_conf|pg_drop_replication_slot)\b'
    r'|"(create index|alter|vacuum|analyze)\b'
    r"|lifecycle apply\b|aws s3api (abort|delete|put|create)-"
)
each = pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and text of every fenced block, without its indentation."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.M | re.S)
    return [(language, re.sub(rf"(?m)^{indent}", "", body)) for indent, language, body in found]


def test_each_alert_has_one_and_each_belongs_to_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS} == {rule.alert for rule in [*ALERTS, *LOG_ALERTS]}


@each
def test_title_and_headings(path: Path) -> None:
    text = path.read_text()
    outside = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)
    assert re.findall(r"^(#+ .*)$", outside, re.M) == [f"# {path.stem}", *(f"## {heading}" for heading in HEADINGS)]
    sections = re.split(r"^## .*$", outside, flags=re.M)[1:]
    assert all(len(section.split()) >= 6 for section in sections)


@each
def test_there_is_something_to_paste_and_every_block_names_its_language(path: Path) -> None:
    found = blocks(path.read_text())
    assert found
    assert {language for language, _ in found} <= {"sh", "promql", "logql", "traceql"}


def test_every_logql_query_is_one() -> None:
    queries = [query for path in RUNBOOKS for language, query in blocks(path.read_text()) if language == "logql"]
    assert queries
    assert problems("logql", queries) == [None] * len(queries)


@each
def test_links_resolve(path: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        assert (path.parent / link).is_file(), link
        assert runbook(link.removesuffix(".md")).status == 200


@each
def test_commands_that_change_the_watched_system_say_so(path: Path) -> None:
    for language, body in blocks(path.read_text()):
        if language == "sh":
            assert bool(MUTATING.search(body)) == body.startswith(CHANGES), body


@each
def test_no_command_shows_a_secret(path: Path) -> None:
    for _, body in blocks(path.read_text()):
        code = re.sub(r"#.*", "", body)
        assert "HGETALL" not in code
        assert not re.search(r"\b(data|returnvalue|failedReason|stacktrace)\b", code)
        assert not re.search(r"redis-cli[^\n]* (-a|--pass)\b", code), (
            "a password on a command line is seen by everybody"
        )


@each
def test_metrics_named_exist(path: Path) -> None:
    known = FOREIGN | {str(record.data["record"]) for record in RECORDS} | {entry.name for entry in catalogue()}
    known |= {
        entry.name + end for entry in catalogue() if entry.type == "histogram" for end in ("_sum", "_count", "_bucket")
    }
    known |= {"supercheck_scrape_collector"}  # a prefix to grep for
    known |= {entry.name + end for entry in catalogue() if entry.type == "histogram" for end in ("_bucket", "_count")}
    text = path.read_text()
    for name in re.findall(r"\b(?:[a-z]+:)?(?:supercheck|prometheus|alertmanager)_[a-z0-9_]+(?::\w+)?", text):
        assert name in known, name


@each
def test_it_is_served_as_html(path: Path) -> None:
    page = runbook(path.stem)
    assert page.status == 200
    assert f"<h1>{path.stem}</h1>" in page.body
    assert page.body.count("<pre>") == len(blocks(path.read_text()))
    assert f'href="/runbooks/{path.stem}"' in runbook_index().body


def test_the_rule_about_changes_sees_them() -> None:
    for command in (
        "docker restart supercheck-worker-1",
        "docker compose up -d --scale worker=3 worker",
        "r PERSIST bull:monitor-scheduler:repeat",
        'r DEL "bull:$q:$id:lock"',
        "docker exec supercheck-redis-1 redis-cli CONFIG SET maxmemory 1gb",
        "update runs set status = 'error'",
        'psql -c "select pg_terminate_backend(1)"',
        'psql -c "create index concurrently on monitors (organization_id)"',
        "supercheck-exporter lifecycle apply NAME",
        "aws s3api abort-multipart-upload --bucket b",
    ):
        assert MUTATING.search(command), command
    for command in (
        "docker compose -f compose/compose.yaml up -d exporter",
        "r HGET bull:$q:meta paused",
        "docker ps -a",
        "supercheck-exporter lifecycle plan",
        "aws s3api list-multipart-uploads --bucket b",
        "r SLOWLOG GET 10",
        'q "select pid from pg_stat_activity"',
    ):
        assert not MUTATING.search(command), command
