"""compose/install.sh where it cannot install: it says what to do, and touches nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# what the script itself needs, beside a Python that has what uv needs
TOOLS = ("bash", "cat", "dirname", "find", "mkdir", "tr")


class Machine:
    """A machine with these programs and no others, and a copy of the script."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found is not None, name
            (self.bin / name).symlink_to(found)
        (self.bin / "python3").symlink_to(Path(sys.executable).resolve())
        self.script = folder / "checkout/compose/install.sh"
        self.script.parent.mkdir(parents=True)
        shutil.copy(ROOT / "compose/install.sh", self.script)
        self.called = folder / "called"

    def add(self, name: str, answer: str = "") -> None:
        """A program that prints `answer` and leaves a note that it was called."""
        path = self.bin / name
        path.write_text(f"#!{self.bin}/bash\necho {name} >>{self.called}\necho {answer}\n")
        path.chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "bash"), str(self.script), *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.bin.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_root_it_names_the_packages_and_the_command(machine: Machine) -> None:
    machine.add("id", "1000")
    machine.add("apt-get")
    done = machine.run("demo")
    assert done.returncode == 1
    assert (
        "Run: sudo apt-get update && sudo apt-get install --no-install-recommends "
        "redis-server prometheus prometheus-alertmanager" in done.stderr
    )
    assert machine.called.read_text().split() == ["id"]
    assert not (machine.script.parents[1] / ".venv").exists()


def test_elsewhere_than_on_debian_it_names_the_programs(machine: Machine) -> None:
    machine.add("prometheus")
    machine.add("promtool")
    done = machine.run("test")
    assert done.returncode == 1
    assert "this is not Debian" in done.stderr
    assert "redis-server prometheus-alertmanager chromium" in done.stderr
    assert "prometheus " not in done.stderr.replace("prometheus-alertmanager", "")
    assert not machine.called.exists()


@pytest.mark.parametrize("arguments", [(), ("everything",)])
def test_it_says_what_it_can_install(machine: Machine, arguments: tuple[str, ...]) -> None:
    done = machine.run(*arguments)
    assert done.returncode == 1
    assert "usage: compose/install.sh demo|test|docker|tools" in done.stderr


def test_the_tools_need_go_and_say_that_they_are_optional(machine: Machine) -> None:
    done = machine.run("tools")
    assert done.returncode == 1
    assert "Go is missing; the tools are optional" in done.stderr


def test_no_registry_is_named_and_every_version_is_pinned() -> None:
    text = (ROOT / "compose/install.sh").read_text(encoding="utf-8")
    assert "://" not in text
    assert "@latest" not in text
    assert os.access(ROOT / "compose/install.sh", os.X_OK)
