"""Rendering of the rule templates."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from supercheck_exporter import rules
from supercheck_exporter.rules import DEFAULT_PUBLIC_URL, RuleError, render_rules
from supercheck_exporter.thresholds import default_thresholds

TEMPLATE = """groups:
  - name: one
    rules:
      - alert: Full
        expr: depth > ${depth_ratio}
        annotations: {url: "${PUBLIC_URL}/runbooks/Full", text: "{{ $value }} of {{ $labels.queue }}"}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "alerts").mkdir(parents=True)
    (folder / "alerts" / "queue.yaml").write_text(TEMPLATE)
    return folder


def test_numbers_and_links_are_filled_and_nothing_else_is_touched(source: Path) -> None:
    rendered = render_rules({"depth_ratio": 0.8}, "https://ops.example.org/supercheck/", source)
    assert rendered == {
        "alerts/queue.yaml": '# Generated from alert-rules/src/alerts/queue.yaml by "make rules": do not edit.\n'
        + TEMPLATE.replace("${depth_ratio}", "0.8").replace("${PUBLIC_URL}", "https://ops.example.org/supercheck")
    }


def test_an_unknown_name_is_an_error_that_names_file_and_name(source: Path) -> None:
    with pytest.raises(RuleError) as raised:
        render_rules({"other": 1}, DEFAULT_PUBLIC_URL, source)
    assert str(raised.value) == "alert-rules/src/alerts/queue.yaml: ${depth_ratio}: neither a threshold nor PUBLIC_URL."


def test_a_malformed_placeholder_is_an_error(source: Path) -> None:
    (source / "alerts" / "queue.yaml").write_text(TEMPLATE.replace("${depth_ratio}", "${depth-ratio}"))
    with pytest.raises(RuleError, match=r"alerts/queue\.yaml"):
        render_rules({}, DEFAULT_PUBLIC_URL, source)


def test_no_templates_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="no rule templates"):
        render_rules({}, DEFAULT_PUBLIC_URL, tmp_path)


@pytest.mark.parametrize(
    "url",
    ["", "ops.example.org", "ftp://ops", 'http://x"', "http://a b", "http://x/{{ .X }}", "http://x/?a=1", "https://"],
)
def test_a_link_that_would_break_the_rules_is_refused(source: Path, url: str) -> None:
    with pytest.raises(RuleError, match=r"^PUBLIC_URL: read "):
        render_rules({"depth_ratio": 1}, url, source)


@pytest.mark.parametrize(
    ("value", "text"),
    [(300.0, "300"), (0.8, "0.8"), (172800.0, "172800"), (31536000.0, "31536000"), (0.00001, "0.00001"), (1.0, "1")],
)
def test_numbers_have_no_exponent(value: float, text: str) -> None:
    assert rules.format_number(value) == text


def test_the_shipped_templates_render_with_other_thresholds() -> None:
    """Every threshold that a site changes reaches the expression and the text of its alert."""
    changed = {
        # those of the objectives are held to what the histograms have (test_objectives.py)
        name: value if name.startswith("slo_") else value * 0.9 + 1
        for name, value in default_thresholds().items()
    }
    for path, text in render_rules(changed, "http://other:1").items():
        assert DEFAULT_PUBLIC_URL not in text
        assert yaml.safe_load(text)["groups"], path


def test_write_then_check_then_a_difference(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    rendered = render_rules({"depth_ratio": 0.8}, DEFAULT_PUBLIC_URL, source)
    assert rules.differences(rendered, target) == ["alert-rules/alerts/queue.yaml is missing: run `make rules`."]
    rules.write(rendered, target)
    assert rules.differences(rendered, target) == []
    (target / "alerts" / "queue.yaml").write_text("groups: []\n")
    (target / "alerts" / "old.yaml").write_text("groups: []\n")
    assert rules.differences(rendered, target) == [
        "alert-rules/alerts/queue.yaml differs from its template: run `make rules`.",
        "alert-rules/alerts/old.yaml has no template: run `make rules`, which deletes it.",
    ]
    rules.write(rendered, target)
    assert rules.differences(rendered, target) == []
    assert [file.name for file in (target / "alerts").iterdir()] == ["queue.yaml"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.main(["--check"], tmp_path) == 1
    assert "alert-rules/alerts/queue.yaml is missing" in capsys.readouterr().err
    assert rules.main(["--write"], tmp_path) == 0
    assert rules.main([], tmp_path) == 0
    assert capsys.readouterr().err == ""


def test_the_bundle_is_the_repository_unless_the_package_carries_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (rules.bundle_root() / "alert-rules" / "src").is_dir()
    package = tmp_path / "lib" / "supercheck_exporter"
    (package / "bundle").mkdir(parents=True)
    monkeypatch.setattr(rules, "_PACKAGE", package)
    assert rules.bundle_root() == package / "bundle"
