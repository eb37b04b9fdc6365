"""compose/operations/ask.sh asks a part from a container beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from contract.feature_list import ROOT
from servers.fake_docker import FakeDocker, checkout
from servers.web import Reply, Web

QUERY = 'sum by (queue) (rate(x{state="a b"}[5m])) > 0 or ü'


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    checkout(ROOT, tmp_path / "bundle")
    fake = FakeDocker(tmp_path / "bin")
    fake.answer("^ps --filter", "exporter\nprometheus\nalertmanager\n")
    for name in ("exporter", "prometheus", "alertmanager"):
        fake.answer(f"^ps --quiet .*service={name}$", f"id-of-{name}\n")
    fake.answer("^exec ", "its answer\n")
    return fake


def script(docker: FakeDocker) -> Path:
    return docker.folder.parent / "bundle/compose/operations/ask.sh"


@pytest.mark.parametrize(
    ("words", "url"),
    [
        (("exporter", "/metrics"), "http://exporter:9820/metrics"),
        (("alertmanager", "/-/ready"), "http://alertmanager:9093/-/ready"),
        (("loki", "/ready"), "http://loki:3100/ready"),
        (("query", QUERY), f"http://prometheus:9090/api/v1/query?query={QUERY}"),
    ],
)
def test_a_part_is_asked(docker: FakeDocker, words: tuple[str, str], url: str) -> None:
    done = docker.run(script(docker), *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "its answer\n", "")
    assert docker.asked("^exec id-of-exporter python -c import sys")
    # several lines, the program first
    assert unquote((docker.folder / "asked").read_text()).endswith(f" {url}\n")


def test_without_the_exporter_a_part_asks_itself(docker: FakeDocker) -> None:
    docker.answer("^ps --filter", "prometheus\n")
    assert docker.run(script(docker), "query", "up").returncode == 0
    assert docker.asked("^exec ") == [
        "exec id-of-prometheus wget -q -T 10 -O - http://127.0.0.1:9090/api/v1/query?query=%75%70"
    ]


def test_the_program_says_what_it_was_told_and_what_failed(docker: FakeDocker) -> None:
    """The Python that is run in the exporter's container, run here."""
    docker.answer("^exec ", command=["sh", "-c", 'shift 3; exec python3 "$@"', "sh"])
    docker.answer("^ps --quiet .*service=exporter$", "id\n")
    with Web(Reply(headers={"Content-Length": "3", "Connection": "close"}, body=b"ok\n")) as web:
        target = script(docker)
        target.write_text(target.read_text().replace("http://exporter:9820", web.url))
        done = docker.run(target, "exporter", "/-/ready")
        assert (done.returncode, done.stdout) == (0, "ok\n")
        web.answer = Reply(503, {"Content-Length": "0", "Connection": "close"})
        done = docker.run(target, "exporter", "/-/ready")
        assert done.returncode == 1
        assert "503" in done.stderr


def test_what_does_not_answer_is_told_by_the_status(docker: FakeDocker) -> None:
    docker.answer("^exec ", "", 1)
    assert docker.run(script(docker), "exporter", "/").returncode == 1
    docker.answer("^ps --filter", "backup\n")
    done = docker.run(script(docker), "exporter", "/")
    assert done.returncode == 2
    assert "nothing runs that could ask" in done.stderr
    assert "there is no redis" in docker.run(script(docker), "redis", "/").stderr
    assert docker.run(script(docker), "exporter").returncode == 2


def test_workers_are_scaled_by_what_prometheus_says_beside_them(docker: FakeDocker) -> None:
    target = script(docker).parents[1] / "scale-workers.sh"
    shutil.copy2(ROOT / "compose/scale-workers.sh", target)
    value = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1763995200.123,"3"]}]}}'
    docker.answer("^exec ", value)
    docker.answer("^compose ps", "one\n")
    done = docker.run(target, env={"LOCATION": "local"})
    assert (done.returncode, done.stderr) == (0, "")
    assert docker.asked("^compose up") == ["compose up --detach --no-recreate --scale worker=3 worker"]
    # where it does not answer, nothing is changed
    docker.answer("^exec ", "", 1)
    assert "unknown: nothing is changed" in docker.run(target).stderr
    assert len(docker.asked("^compose up")) == 1
