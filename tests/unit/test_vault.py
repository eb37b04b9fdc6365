"""The age of a secret by its metadata, and how often a mount is walked."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from servers import vault
from supercheck_exporter.config import load
from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.http import HttpError
from supercheck_exporter.sources.vault import Reply
from supercheck_exporter.vault import ages as module
from supercheck_exporter.vault.ages import READ_SECONDS, SecretAges, current_version_at
from supercheck_exporter.vault.nodes import NodeReader, ask_node

NOW = 1_780_000_000.0
FIRST, SECOND = "2026-01-01T00:00:00.123456789Z", "2026-02-01T01:00:00+01:00"


def metadata(current: object = 2, **second: object) -> dict[str, Any]:
    """A secret with two versions."""
    version = {"created_time": SECOND, "deletion_time": "", "destroyed": False, **second}
    first = {"created_time": FIRST, "deletion_time": "", "destroyed": False}
    return {"current_version": current, "versions": {"1": first, "2": version}, "updated_time": FIRST}


def test_a_secret_is_as_old_as_its_current_version() -> None:
    assert current_version_at(metadata(), NOW) == 1_769_904_000.0
    assert current_version_at(metadata(1), NOW) == pytest.approx(1_767_225_600.123456)


@pytest.mark.parametrize(
    "gone",
    [
        metadata(destroyed=True),
        metadata(deletion_time="2026-02-02T00:00:00Z"),
        metadata(0),
        metadata(3),
        {"current_version": 0, "versions": {}},
        {"current_version": 1, "versions": None},
        {},
    ],
)
def test_what_has_no_current_version_is_no_secret(gone: dict[str, Any]) -> None:
    assert current_version_at(gone, NOW) is None


def test_a_version_that_will_be_deleted_is_there_until_then() -> None:
    assert current_version_at(metadata(deletion_time="2099-01-01T00:00:00Z"), NOW) == 1_769_904_000.0


@pytest.mark.parametrize("time", [None, "", "yesterday"])
def test_a_time_that_can_t_be_read_is_a_failure(time: object) -> None:
    with pytest.raises(SourceError, match="no time that can be read"):
        current_version_at(metadata(created_time=time), NOW)


class Mounts:
    """A Vault with two mounts, of which `bad` refuses; counts the lists of each."""

    has_token = True

    def __init__(self) -> None:
        self.settings = load({"VAULT_KV_PATHS": "good,bad"})
        self.nodes = {"one": ""}
        self.listed = {"good": 0, "bad": 0}

    def get(self, node: str, path: str, deadline: float, *, token: bool = False, query: str = "") -> Reply:
        mount = path.partition("/")[0]
        if path in (active := vault.answers("active")):
            found = active[path]
        elif query:
            self.listed[mount] += 1
            found = vault.answer("forbidden" if mount == "bad" else "kv_list")
            found["body"].setdefault("data", {})["keys"] = ["name"]
        else:
            found = vault.answer("kv_metadata")
        return Reply(found["status"], found["body"], 0.0, None)


def test_a_mount_that_fails_does_not_make_the_others_be_walked_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=10_000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: NOW, monotonic=lambda: clock.now))
    source: Any = Mounts()
    ages = SecretAges(source)
    for after in (0, ages.retry_seconds, ages.retry_seconds):
        clock.now += after
        with pytest.raises(SourceError, match=r"^bad: Vault at one refuses VAULT_TOKEN"):
            ages.step()
    assert source.listed == {"good": 1, "bad": 3}
    clock.now += READ_SECONDS
    with pytest.raises(SourceError):
        ages.step()
    assert source.listed["good"] == 2
    assert set(ages.ages()) == {"good"}
    clock.now += 3 * READ_SECONDS + 1
    assert ages.ages() == {}, "old news is no news"
    ages.stop()


@pytest.mark.parametrize("reason", ["refused", "name", "tls"])
def test_a_node_that_refuses_is_asked_once(reason: Any) -> None:
    asked = []

    def get(node: str, path: str, deadline: float) -> Reply:
        asked.append(path)
        raise HttpError(reason, "no way")

    node = ask_node(SimpleNamespace(get=get), "one", 1.0)  # type: ignore[arg-type]  # stands for a source
    assert node.error == "no way"
    assert asked == ["sys/seal-status"]


def test_a_node_that_is_late_is_down_and_is_not_asked_twice() -> None:
    """A resolver that hangs is beyond every deadline."""
    asked, answer = [], threading.Event()

    def get(node: str, path: str, deadline: float) -> Reply:
        asked.append(path)
        assert answer.wait(60)
        return Reply(200, vault.answers("active")[path]["body"], 0.0, None)

    source: Any = SimpleNamespace(get=get, nodes={"one": ""})
    reader = NodeReader(source)
    for _ in range(2):
        (late,) = reader.read(0.05)
        assert "does not answer within" in late.error
    answer.set()
    (there,) = reader.read(60)
    assert (there.error, there.sealed, there.status) == ("", False, 200)
    assert asked == ["sys/seal-status", "sys/health"]
    reader.stop()
