"""What holds for every file: short, no trace of the machine it was made on, no secret, links that lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from contract.feature_list import ROOT
from servers.process import free_port

MAX_LINES = 400
# the only Python files that may be longer, and why
LONGER = {
    "tests/unit/test_config.py": "every setting, a line each",
    "tests/integration/test_queues.py": "one behaviour of one collector after the other, as bullmq writes it",
    "tests/integration/test_queue_events.py": "likewise",
    "alert-rules/tests/healthy_site.py": "one day of one site, a function a source",
    "tests/unit/test_journal.py": "the cases of one state machine",
    "tests/unit/test_events.py": "likewise",
}
# written by programs: their addresses and hashes are not ours to choose
LOCKS = re.compile(r"(^|/)(package-lock\.json|requirements\.lock)$")
BINARY = {".png", ".jpg", ".woff2", ".ico", ".ttf"}
MARKDOWN_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")


@cache
def files() -> tuple[Path, ...]:
    """Every file that git has or would take."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        if os.environ.get("CI") == "true":
            pytest.fail("git and a clone are required")
        pytest.skip("not a clone of the repository")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = {ROOT / name for name in listed.split("\0") if name}
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def texts() -> dict[str, str]:
    """The text of every text file by its path."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in files()
        if path.suffix not in BINARY
    }


def found(pattern: str, *, locks: bool = True) -> list[str]:
    """Where a pattern occurs, as "path:line: text"."""
    expression = re.compile(pattern)
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in texts().items()
        if locks or not LOCKS.search(path)
        for match in expression.finditer(text)
    ]


def test_python_files_are_short() -> None:
    lines = {path: text.count("\n") for path, text in texts().items() if path.endswith(".py")}
    assert {path for path, count in lines.items() if count > MAX_LINES} <= set(LONGER) <= set(lines)


def test_no_file_is_empty() -> None:
    assert [path for path, text in texts().items() if not text.strip()] == []


def test_no_path_of_a_machine() -> None:
    # put together, so that this file does not find itself
    roots = "|".join(("work", "root", "home/[a-z]", "Users/[A-Za-z]", "tmp/[a-z]", "mnt"))
    assert found(rf"(?<![\w.$}}\])-])/(?:{roots})(?:/|\b)(?!\w)") == []


def hosts_of_this_machine() -> set[str]:
    """Hosts of the package indexes that this machine is set to: no file may depend on one of them."""
    asked = [
        [sys.executable, "-m", "pip", "config", "list"],
        ["npm", "config", "get", "registry"],
        ["go", "env", "GOPROXY"],
    ]
    said = [value for name, value in os.environ.items() if re.search(r"INDEX|PROXY|REGISTRY", name, re.IGNORECASE)]
    for command in asked:
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
            said.append(done.stdout)
    hosts = {urlsplit(url).hostname or "" for text in said for url in re.findall(r"https?://[^\s,'\"|]+", text)}
    return hosts - {"", "localhost", "127.0.0.1"}


def test_no_host_of_this_machine_s_package_indexes() -> None:
    for host in hosts_of_this_machine():
        assert found(re.escape(host)) == []


def test_every_address_names_a_public_or_an_invented_host() -> None:
    """An address that slipped in from somewhere is seen here: a new public one is added on purpose."""
    public = {
        "github.com", "keepachangelog.com", "semver.org", "www.apache.org", "prometheus.io", "keda.sh", "redis.io",
        "docs.bullmq.io", "grafana.com", "api.slack.com", "developer.pagerduty.com", "core.telegram.org", "discord.com",
        "json.schemastore.org", "hooks.slack.com", "api.telegram.org", "api.openai.com", "www.w3.org", "10.0.0.1",
        "s3.REGION.amazonaws.com", "s3.eu-central-1.amazonaws.com",
    }  # fmt: skip
    # a word without a dot is a service's name or a placeholder
    invented = re.compile(r"[^.]*|\.+|([\w-]+\.)*(example(\.(com|org|net))?|test|invalid)|127(\..*)?")
    strange = []
    for where in found(r"https?://(?:[^\s/\"'`<>()\[\]{},;$%\\*|]+)", locks=False):
        address = where.split(": ", 1)[1]
        host = (urlsplit(address).netloc.rpartition("@")[2]).partition(":")[0].rstrip(".'")
        if host not in public and not invented.fullmatch(host):
            strange.append(where)
    assert strange == []


SECRETS = {
    "a private key": "-----BEGIN (?:[A-Z]+ )?PRIVATE " + "KEY-----",
    "an AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    "a Slack token": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "a Slack webhook": r"hooks\.slack\.com/services/T[A-Za-z0-9]+",
    "an OpenAI key": r"\bsk-[A-Za-z0-9]{20,}",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}",
    "a Telegram token": r"\b\d{8,10}:AA[A-Za-z0-9_-]{30,}",
    "a password in an address": r"[a-z]+://[\w.-]+:(?!pass|secret|word|\{|\$|%)[^\s@/'\"{}$<>]{3,}@[\w-]+",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_nothing_looks_like_a_secret(kind: str) -> None:
    assert found(SECRETS[kind], locks=False) == []


def test_nothing_is_left_to_do() -> None:
    words = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
    assert found(rf"\b(?:{words})\b", locks=False) == []


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a Markdown text's headings."""
    body = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", body, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-") for heading in headings}


def markdown() -> list[str]:
    return [path for path in texts() if path.endswith(".md")]


def test_relative_links_lead_somewhere() -> None:
    dead = []
    for path in markdown():
        text = re.sub(r"```.*?```", "", texts()[path], flags=re.DOTALL)
        for match in MARKDOWN_LINK.finditer(text):
            target = match[1] or match[2]
            if re.match(r"[a-z]+:", target) or target.startswith("/"):
                continue  # elsewhere, or a page of the exporter
            name, _, anchor = unquote(target).partition("#")
            file = (ROOT / path).parent / name if name else ROOT / path
            if not file.exists():
                dead.append(f"{path}: {target}")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
                dead.append(f"{path}: {target} (no such heading)")
    assert dead == []


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", texts()["Makefile"], re.MULTILINE))
    named = {
        f"{path}: {name}" for path in markdown() for name in re.findall(r"(?:`|^)make ([a-z0-9]+)", texts()[path], re.M)
    }
    assert {where for where in named if where.rpartition(" ")[2] not in targets} == set()


def test_paths_that_are_named_exist() -> None:
    """A path in backticks is meant from the root; what a site writes itself (its .env, its secrets) is left out."""
    tops = "exporters|alert-rules|compose|dashboards|otel-collector|tests"
    gone = []
    for path in markdown():
        for name in re.findall(rf"`((?:{tops})/[\w./-]+)`", texts()[path]):
            if not (ROOT / name).exists() and not re.search(r"/(\.env$|secrets/|dist/|node_modules)", name):
                gone.append(f"{path}: {name}")
    assert gone == []


def test_the_checks_see_what_they_look_for() -> None:
    """A pattern that matches nothing would hold for ever."""
    home = "/ho" + "me/someone/x"
    assert re.search(r"(?<![\w.$}\])-])/(?:home/[a-z])", f"open {home}")
    assert re.search(SECRETS["an AWS key"], "AKIA" + "A" * 16)
    assert re.search(SECRETS["a password in an address"], "redis://me:" + f"hunter{free_port()}@redis")
    assert anchors("# One, two\n## The `x` of_y\n```\n# no\n```\n") == {"one-two", "the-x-of_y"}


def test_the_license_is_there() -> None:
    text = texts()["LICENSE"]
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert 'license = "Apache-2.0"' in texts()["pyproject.toml"]


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "supercheck_exporter.rules", "--check"],
        ["-m", "dashboards.src", "--check"],
        ["-m", "contract.manual"],
    ],
    ids=["rules", "dashboards", "manual"],
)
def test_generated_files_are_current(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "exporters")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
