"""Renders the rule templates of `alert-rules/src`, and those that its objectives make, with thresholds and links.

`python -m supercheck_exporter.rules --write` (this is `make rules`) rewrites the checked-in files with the
shipped thresholds, `--check` compares them. At run time `supercheck-exporter render` calls `render_rules`
with the thresholds of the site.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from supercheck_exporter.objectives.generate import templates as templates_of_objectives
from supercheck_exporter.objectives.model import ObjectiveError, check, load
from supercheck_exporter.thresholds import default_thresholds

OBJECTIVES = "objectives.yaml"
DEFAULT_PUBLIC_URL = "http://127.0.0.1:9820"

_PACKAGE = Path(__file__).resolve().parent
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
# a quote, a brace or a space would end the YAML scalar or start a template
_URL = re.compile(r"https?://[^\s\"'{}\\<>|`#?]+")


class RuleError(ValueError):
    """A template or a link that can't be rendered; the text says which."""


def bundle_root() -> Path:
    """The folder that holds `alert-rules/` and `compose/`: in the installed package, else the repository."""
    packaged = _PACKAGE / "bundle"
    return packaged if packaged.is_dir() else _PACKAGE.parents[1]


def placeholders(text: str) -> list[str]:
    """The names of every `${name}` in `text`, in order, repeated as they are."""
    return _PLACEHOLDER.findall(text)


def format_number(value: float) -> str:
    """A number as PromQL and people read it: no exponent, no trailing zero (300, 0.8)."""
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return text or "0"


def templates(source: Path | None = None) -> dict[str, tuple[str, str]]:
    """Every template by the path of what it makes: (the file that it comes from, its text), both below src/.

    `source` is another folder of templates; an objectives.yaml in it makes two more.
    """
    folder = source or bundle_root() / "alert-rules" / "src"
    found = {}
    for template in sorted(folder.glob("*/*.yaml")):
        path = template.relative_to(folder).as_posix()
        found[path] = (path, template.read_text(encoding="utf-8"))
    if not found:
        raise RuleError(f"{folder}: no rule templates there.")
    objectives = folder / OBJECTIVES
    if objectives.is_file():
        found |= {path: (OBJECTIVES, text) for path, text in templates_of_objectives(load(objectives)).items()}
    return found


def render_rules(thresholds: Mapping[str, float], public_url: str, source: Path | None = None) -> dict[str, str]:
    """Every rule file by its path below `alert-rules/`, for example "alerts/queue.yaml"; those in "loki/" are Loki's.

    `thresholds` is what `load_thresholds` returns, `public_url` where people reach the exporter, `source`
    another folder of templates. Raises RuleError for an unknown `${name}`, for a bad URL, and for objectives that
    the thresholds make senseless.
    """
    url = public_url.strip().rstrip("/")
    if not _URL.fullmatch(url):
        raise RuleError(
            f'PUBLIC_URL: read "{public_url}", allowed is http://host[:port][/path] or https://..., '
            "without spaces, quotes, braces, ? or #."
        )
    values = {name: format_number(value) for name, value in thresholds.items()} | {"PUBLIC_URL": url}
    folder = source or bundle_root() / "alert-rules" / "src"
    if (folder / OBJECTIVES).is_file():
        try:
            check(load(folder / OBJECTIVES), thresholds)
        except ObjectiveError as error:
            raise RuleError(str(error)) from error
    rendered = {}
    for path, (origin, text) in templates(folder).items():
        header = f'# Generated from alert-rules/src/{origin} by "make rules": do not edit.\n'
        rendered[path] = header + _fill(text, values, origin)
    return rendered


def _fill(text: str, values: Mapping[str, str], path: str) -> str:
    unknown = sorted(set(placeholders(text)) - set(values))
    if unknown:
        names = ", ".join("${" + name + "}" for name in unknown)
        raise RuleError(f"alert-rules/src/{path}: {names}: neither a threshold nor PUBLIC_URL.")
    filled = _PLACEHOLDER.sub(lambda match: values[match.group(1)], text)
    if "${" in filled:
        raise RuleError(f'alert-rules/src/{path}: a "${{" that is no ${{name}} of letters, digits and "_".')
    return filled


def differences(rendered: Mapping[str, str], target: Path) -> list[str]:
    """One sentence for each file below `target` that is missing, differs, or has no template any more."""
    problems = []
    for path, text in rendered.items():
        file = target / path
        if not file.is_file():
            problems.append(f"alert-rules/{path} is missing: run `make rules`.")
        elif file.read_text(encoding="utf-8") != text:
            problems.append(f"alert-rules/{path} differs from its template: run `make rules`.")
    problems.extend(
        f"alert-rules/{path} has no template: run `make rules`, which deletes it."
        for path in _orphans(rendered, target)
    )
    return problems


def write(rendered: Mapping[str, str], target: Path) -> None:
    """Writes every file below `target`, and deletes those that have no template any more."""
    for path in _orphans(rendered, target):
        (target / path).unlink()
    for path, text in rendered.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _orphans(rendered: Mapping[str, str], target: Path) -> list[str]:
    folders = sorted({Path(path).parent.as_posix() for path in rendered})
    found = [file.relative_to(target).as_posix() for name in folders for file in (target / name).glob("*.yaml")]
    return sorted(set(found) - set(rendered))


def main(arguments: Sequence[str] | None = None, target: Path | None = None) -> int:
    """The command: 0 when all is well, 1 when `--check` finds a difference, 2 for a wrong template."""
    parser = argparse.ArgumentParser(prog="python -m supercheck_exporter.rules", description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", action="store_true", help="rewrite the rendered files")
    mode.add_argument("--check", action="store_true", help="compare them (the default)")
    options = parser.parse_args(arguments)
    target = target or bundle_root() / "alert-rules"
    try:
        rendered = render_rules(default_thresholds(), DEFAULT_PUBLIC_URL)
    except RuleError as error:
        print(error, file=sys.stderr)
        return 2
    if options.write:
        write(rendered, target)
        return 0
    problems = differences(rendered, target)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
