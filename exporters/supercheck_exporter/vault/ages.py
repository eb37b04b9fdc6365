"""How old the secrets of each mount are: a slow walk over the metadata of KV version 2, in the background.

Only ``<mount>/metadata/`` is listed and read, which holds names and times and no value. A secret is as old as its
current version; one whose current version is deleted or destroyed is none. Each read is a line in Vault's audit log, so
the walk comes once an hour and rests between its reads.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from supercheck_exporter.core import SourceError
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.vault import Reply, VaultSource
from supercheck_exporter.vault.nodes import NodeReader, refused, serving

READ_SECONDS = 3600.0
MAX_AGE_SECONDS = 3 * READ_SECONDS
REST_FACTOR = 4.0
"""A read is followed by a rest of so many times what it took."""

LEAST_REST_SECONDS = 0.02
COST = (
    "Without it there is no supercheck_vault_secret_age_seconds and no supercheck_vault_secrets_overdue_rotation of "
    'this mount. Its policy: path "{0}/metadata/*" {{ capabilities = ["list", "read"] }} and path "{0}/config" '
    '{{ capabilities = ["read"] }}'
)
"""What a mount costs that can't be read."""


@dataclass(frozen=True)
class Ages:
    """The secrets of one mount."""

    changed: tuple[float, ...]
    """When each got its current version, Unix time, the oldest first."""
    read_at: float
    """When the walk was over, Unix time; and by a clock that nobody sets:"""
    read_monotonic: float

    def overdue(self, now: float, limit: float) -> int:
        """How many are older than ``limit`` seconds."""
        return bisect_right(self.changed, now - limit)


class SecretAges(Follower):
    """Walks every mount of VAULT_KV_PATHS; a mount that could not be walked whole keeps its last ages for a while."""

    name = "vault_secrets"
    retry_seconds = 300.0

    def __init__(self, source: VaultSource) -> None:
        super().__init__()
        self._source = source
        self._reader = NodeReader(source)
        self._mounts: Mapping[str, tuple[str, ...]] = source.settings.vault_kv_paths
        self._most = source.settings.vault_kv_max_secrets
        self._deadline = source.settings.vault_timeout_seconds
        self._ages: dict[str, Ages] = {}

    def step(self) -> float:
        """Walk each mount once; the failure of one does not cost the others, nor makes them be walked more often."""
        problems = []
        for mount, paths in self._mounts.items():
            known = self._ages.get(mount)
            if known and time.monotonic() - known.read_monotonic < READ_SECONDS - self.retry_seconds:
                continue
            try:
                changed = sorted(self._walk(mount, paths))
            except SourceError as error:
                problems.append(f"{mount}: {error}")
                continue
            if self.stopping.is_set():
                break
            self._ages = {**self._ages, mount: Ages(tuple(changed), time.time(), time.monotonic())}
        if problems:
            raise SourceError("; ".join(problems))
        return READ_SECONDS

    def stop(self) -> None:
        """End it between two reads."""
        super().stop()
        self._reader.stop()

    def ages(self) -> dict[str, Ages]:
        """By mount, as far as they were read lately."""
        now = time.monotonic()
        return {mount: ages for mount, ages in self._ages.items() if now - ages.read_monotonic <= MAX_AGE_SECONDS}

    def try_out(self) -> Iterator[str]:
        """Read one folder of each path, and one secret in it; yields what is wrong, for ``check``."""
        node = serving(self._reader.read(self._deadline))
        if node is None:
            return
        for mount, path in ((mount, path) for mount, paths in self._mounts.items() for path in paths):
            folder = f"{path}/" if path else ""
            where = f"{mount}:{path}" if path else mount
            try:
                names = self._list(node.name, mount, folder)
                secrets = [name for name in names if not name.endswith("/")]
                if secrets:
                    self._read(node.name, mount, folder + secrets[0])
            except SourceError as error:
                yield f"{where}: {error}. {COST.format(mount)}"
            else:
                if not names:
                    yield f"{where}: there is no secret"

    def _walk(self, mount: str, paths: tuple[str, ...]) -> Iterator[float]:
        """When each secret below the paths got its current version. Raises SourceError where one can't be read."""
        node = serving(self._reader.read(self._deadline))
        if node is None:
            raise SourceError("no node of Vault serves")
        folders = [f"{path}/" if path else "" for path in dict.fromkeys(paths)]
        seen: set[str] = set()
        while folders:
            folder = folders.pop()
            for name in self._list(node.name, mount, folder):
                if self.stopping.is_set():
                    return
                path = folder + name
                if path in seen:  # two paths of the settings may overlap
                    continue
                seen.add(path)
                if len(seen) > self._most:
                    raise SourceError(f"over {self._most} secrets and folders: raise VAULT_KV_MAX_SECRETS")
                if path.endswith("/"):
                    folders.append(path)
                    continue
                changed = self._read(node.name, mount, path)
                if changed is not None:
                    yield changed

    def _ask(self, node: str, path: str, query: str = "") -> Reply:
        reply = self._source.get(node, path, self._deadline, token=True, query=query)
        self.stopping.wait(max(LEAST_REST_SECONDS, REST_FACTOR * reply.seconds))
        return reply

    def _list(self, node: str, mount: str, folder: str) -> list[str]:
        reply = self._ask(node, f"{mount}/metadata/{folder}", "?list=true")
        keys = reply.data.get("keys")
        if reply.status == 200 and isinstance(keys, list):
            return [key for key in keys if isinstance(key, str) and key]
        if reply.status != 404:
            raise refused(reply, node, "the list of secrets")
        # nothing is there; but a mount of version 1 or none answers the same
        if self._ask(node, f"{mount}/config").status != 200:
            raise SourceError("it is no KV version 2, or the policy does not let its config be read")
        return []

    def _read(self, node: str, mount: str, path: str) -> float | None:
        reply = self._ask(node, f"{mount}/metadata/{path}")
        if reply.status == 404:  # deleted since it was listed
            return None
        if reply.status != 200:
            raise refused(reply, node, "the metadata of a secret")
        return current_version_at(reply.data)


def current_version_at(metadata: Mapping[str, object], now: float | None = None) -> float | None:
    """When the current version was made, Unix time; None where there is none, or it is deleted or destroyed.

    Raises SourceError where the answer has no times.
    """
    versions = metadata.get("versions")
    version = versions.get(str(metadata.get("current_version"))) if isinstance(versions, dict) else None
    if not isinstance(version, dict):
        return None
    if version.get("destroyed"):
        return None
    deleted = version.get("deletion_time")
    # a time to come is that of delete_version_after: until then it is there
    if deleted and _moment(deleted) <= (time.time() if now is None else now):
        return None
    return _moment(version.get("created_time"))


def _moment(text: object) -> float:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise SourceError("a secret's metadata has no time that can be read: is it Vault that answers?") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
