"""compose/operations/ask.sh asks a part from a container beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from contract.feature_list import ROOT
from servers.fake_docker import FakeDocker, checkout

QUERY = 'sum by (queue) (rate(x{state="a b"}[5m])) > 0 or ü'


@pytest.fixture
def docker(tmp_path: Path) -> FakeDocker:
    checkout(ROOT, tmp_path / "bundle")
    fake = FakeDocker(tmp_path / "bin")
    fake.answer("^ps --filter", "exporter\nprometheus\nalertmanager\n")
    for name in ("prometheus", "alertmanager"):
        fake.answer(f"^ps --quiet .*service={name}$", f"id-of-{name}\n")
    fake.answer("^exec ", "its answer\n")
    return fake


def script(docker: FakeDocker) -> Path:
    return docker.folder.parent / "bundle/compose/operations/ask.sh"


@pytest.mark.parametrize(
    ("words", "container", "url"),
    [
        (("exporter", "/metrics"), "prometheus", "http://exporter:9820/metrics"),
        (("alertmanager", "/-/ready"), "prometheus", "http://alertmanager:9093/-/ready"),
        # by another one than the one that may be ill
        (("prometheus", "/-/ready"), "alertmanager", "http://prometheus:9090/-/ready"),
        (("query", QUERY), "prometheus", f"http://prometheus:9090/api/v1/query?query={QUERY}"),
    ],
)
def test_a_part_is_asked(docker: FakeDocker, words: tuple[str, str], container: str, url: str) -> None:
    done = docker.run(script(docker), *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "its answer\n", "")
    (asked,) = docker.asked("^exec ")
    assert unquote(asked) == f"exec id-of-{container} wget -q -T 10 -O - {url}"
    assert asked.count(" ") == unquote(asked.partition("http")[0]).count(" "), "the address is one word"


def test_what_does_not_answer_is_told_by_the_status(docker: FakeDocker) -> None:
    docker.answer("^exec ", "", 1)
    assert docker.run(script(docker), "exporter", "/").returncode == 1
    docker.answer("^ps --filter", "exporter\n")
    done = docker.run(script(docker), "exporter", "/")
    assert done.returncode == 2
    assert "nothing runs that could ask" in done.stderr
    assert "there is no redis" in docker.run(script(docker), "redis", "/").stderr
    assert docker.run(script(docker), "exporter").returncode == 2


def test_workers_are_scaled_by_what_prometheus_says_beside_them(docker: FakeDocker) -> None:
    target = script(docker).parents[1] / "scale-workers.sh"
    shutil.copy2(ROOT / "compose/scale-workers.sh", target)
    value = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1763995200.123,"3"]}]}}'
    docker.answer("^exec .*wget", value)
    docker.answer("^compose ps", "one\n")
    done = docker.run(target, env={"LOCATION": "local"})
    assert (done.returncode, done.stderr) == (0, "")
    assert docker.asked("^compose up") == ["compose up --detach --no-recreate --scale worker=3 worker"]
    # where it does not answer, nothing is changed
    docker.answer("^exec .*wget", "", 1)
    assert "unknown: nothing is changed" in docker.run(target).stderr
    assert len(docker.asked("^compose up")) == 1
