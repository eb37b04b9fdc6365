"""`python -m dashboards.src --write` writes the dashboards' JSON, `--check` fails when it would differ.

With `--out DIR` they are written elsewhere, with the thresholds (THRESHOLD_*) and the PUBLIC_URL of the environment:
a site whose settings differ from the shipped ones draws its own lines that way.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from supercheck_exporter.thresholds import ThresholdError, load_thresholds

from .build import FOLDER, build_all
from .variables import PUBLIC_URL


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all is well, 1 when a file differs, 2 when a setting is wrong."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.src", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write dashboards/*.json")
    what.add_argument("--check", action="store_true", help="compare with dashboards/*.json")
    what.add_argument("--out", type=Path, metavar="DIR", help="write to DIR with the environment's settings")
    asked = parser.parse_args(argv)
    if asked.check:
        return _check(build_all())
    if asked.write:
        _write(FOLDER, build_all())
        return 0
    try:
        thresholds = load_thresholds(os.environ)
    except ThresholdError as error:
        print(error, file=sys.stderr)
        return 2
    _write(asked.out, build_all(thresholds, os.environ.get("PUBLIC_URL") or PUBLIC_URL))
    return 0


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _check(files: dict[str, str]) -> int:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    wrong = sorted(name for name in files.keys() | there.keys() if files.get(name) != there.get(name))
    for name in wrong:
        print(f"dashboards/{name} differs from its builder: run python -m dashboards.src --write", file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
