"""`supercheck-exporter prepare`: what the first start of the bundle makes, before anything else starts.

Compose runs it at each start as one short service, with the volumes that it fills:

* `OUT/grafana`: the password of Grafana's user `admin`, and the key that encrypts secrets in Grafana's database.
  Made at the first start, never made anew; a person's own file in `GIVEN/grafana` is used instead.
* `OUT/exporter/site.env`: of Supercheck's own .env (`GIVEN/site.env`) the variables that the exporter reads, no other.

No secret is printed, and none stands in a variable, so `docker inspect` and the log show names only.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from supercheck_exporter import site_env
from supercheck_exporter.settings import Settings

GENERATED = {"grafana/admin_password": 18, "grafana/secret_key": 24}
"""File -> bytes of chance in it."""

SITE_ENV = "site.env"


class PrepareError(Exception):
    """Something can't be read or written; the text says what, and how to mend it."""


def prepare(out: Path, given: Path, names: Iterable[str]) -> list[str]:
    """Make what is missing; returns a line for each thing done. Raises PrepareError."""
    lines = [line for name, size in GENERATED.items() if (line := _secret(out / name, given / name, name, size))]
    source = given / SITE_ENV
    try:
        text = source.read_text(encoding="utf-8") if source.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise PrepareError(
            f"Supercheck's .env can't be read ({_reason(error)}): SUPERCHECK_ENV_OWNER in compose/.env must be the "
            "user:group, as numbers, who may read it. compose/operations/attach.sh writes it."
        ) from None
    values = site_env.wanted(site_env.parse(text), names)
    _write(out / "exporter" / SITE_ENV, site_env.dump(values))
    # names only
    lines.append(f"of Supercheck's .env: {', '.join(values) or 'nothing'}")
    return lines


def _secret(path: Path, given: Path, name: str, size: int) -> str:
    """Put a secret into its place: a person's own, else the one that is there, else a new one."""
    try:
        text = given.read_text(encoding="utf-8").rstrip("\r\n") if given.exists() else ""
        there = path.read_text(encoding="utf-8").rstrip("\r\n") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise PrepareError(
            f"compose/secrets/{name} can't be read ({_reason(error)}): make it readable (chmod 644; the folder "
            "compose/secrets itself may be closed), or remove it and one is made."
        ) from None
    if given.exists() and not text:
        raise PrepareError(f"compose/secrets/{name} is empty: put the secret in, or remove the file and one is made.")
    if text == there and there:
        return ""
    if text:
        _write(path, text + "\n")
        return f"{name}: taken from compose/secrets"
    if there:
        return ""
    _write(path, secrets.token_urlsafe(size) + "\n")
    return f"{name}: made"


def _write(path: Path, text: str) -> None:
    """Write `path` whole; whoever mounts its volume may read it (Grafana runs as a user of its own)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o444)
        Path(scratch).replace(path)
    except OSError as error:
        raise PrepareError(
            f"{path} can't be written ({_reason(error)}): the volume belongs to another user. Remove the volumes of "
            "secrets (docker volume rm supercheck-observability_exporter-secrets), and they are made anew."
        ) from None


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `supercheck-exporter prepare`."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the volumes to fill")
    parser.add_argument("--given", type=Path, required=True, metavar="DIR", help="folder of what a person gives")


def main_prepare(arguments: argparse.Namespace) -> int:
    """Run `supercheck-exporter prepare`: 0 when all is there, 1 where something can't be read or written."""
    try:
        lines = prepare(arguments.out, arguments.given, [name.upper() for name in Settings.model_fields])
    except PrepareError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for line in lines:
        print(line)
    return 0
