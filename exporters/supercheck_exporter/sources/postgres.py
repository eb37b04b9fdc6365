"""One short-lived, read-only connection to PostgreSQL, or to PgBouncer's console, for each run of a collector.

psycopg waits for an answer as long as it takes, and a frozen server answers never: a timer shuts the
socket down at the deadline, so that a frozen database costs one timeout and no thread for ever.

It is imported where a source is made and used, not above: 11 MiB that a site without a database does not need.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from supercheck_exporter.core import Desc, Sample, SourceError

if TYPE_CHECKING:
    import psycopg

APPLICATION = "supercheck-exporter"
LEAST_SECONDS = 0.5
"""What is left for the statements however long the login took."""

COST_RATIO = 20
"""A background read that took a second is followed by this many seconds of rest."""

MAX_REST_SECONDS = 60.0

Row = dict[str, Any]


def rest_seconds(every: float, cost: float) -> float:
    """Until the next read in the background, which comes ``every`` so many seconds where it costs little."""
    return max(every, min(COST_RATIO * cost, MAX_REST_SECONDS))


class Session:
    """An open connection; ``rows`` runs one statement."""

    def __init__(self, connection: psycopg.Connection[Row], setting: str) -> None:
        self._connection = connection
        self._setting = setting

    @property
    def version(self) -> int:
        """The server's version as PostgreSQL counts: 150018 is 15.18."""
        return self._connection.info.server_version

    def rows(self, statement: str) -> list[Row]:
        """Run one statement and return its rows as dictionaries by column name.

        Never with parameters: these would need the extended protocol, which PgBouncer's console lacks.
        """
        return self._connection.execute(statement.encode()).fetchall()

    def refuse_pooler(self, server_pid: int) -> None:
        """Raise SourceError where the process that answers is not the one that let us in: a pooler is between."""
        if server_pid != self._connection.info.backend_pid:
            raise SourceError(_POOLER.format(self._setting))


class PostgresSource:
    """A server, named by the setting that holds its URL.

    ``pooler`` is PgBouncer's console: it takes no startup options and no extended protocol.
    """

    def __init__(self, setting: str, url: str, timeout: float, *, pooler: bool = False) -> None:
        self.setting = setting
        self._url = url
        self._timeout = timeout
        self._pooler = pooler
        from psycopg.conninfo import conninfo_to_dict

        parts = conninfo_to_dict(url)
        self.where = f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"
        self._password = str(parts.get("password") or "")

    @contextmanager
    def session(self, up: Desc | None = None) -> Iterator[Session]:
        """Connect, hand out a session, close. ``up`` is the metric that says whether the server answers.

        Raises SourceError with the setting and the mend when the server can't be reached, refuses us, or does
        not answer in time (then ``up`` is 0), and when a read is refused or a lock is held (then it is 1).
        """
        import psycopg

        began = time.monotonic()
        connection = self._connect(up)
        try:
            with _Guard(connection, max(LEAST_SECONDS, self._timeout - (time.monotonic() - began))) as guard:
                yield Session(connection, self.setting)
        except psycopg.Error as error:
            gone = guard.fired or connection.broken
            raise self._down(error, _said(up, 0 if gone else 1), late=guard.fired) from error
        finally:
            connection.close()

    def _connect(self, up: Desc | None) -> psycopg.Connection[Row]:
        import psycopg
        from psycopg.rows import dict_row

        options: dict[str, Any] = {"autocommit": True, "prepare_threshold": None, "row_factory": dict_row}
        if not self._pooler:
            limit = int(self._timeout * 800)  # milliseconds; the server gives up a little before we do
            options["application_name"] = APPLICATION
            # of a database in SQL_ASCII the driver would hand out names as bytes
            options["client_encoding"] = "UTF8"
            options["options"] = (
                f"-c statement_timeout={limit} -c lock_timeout={limit // 4} -c default_transaction_read_only=on"
            )
        try:
            return psycopg.connect(self._url, connect_timeout=int(self._timeout), **options)
        except psycopg.Error as error:
            # a pooler answers as it should, and it is not what is watched: nothing is known of the server
            problem = self._down(error, () if _is_pooler(str(error)) else _said(up, 0))
            # psycopg leaves the socket of an attempt that timed out to the garbage collector, in a cycle through here
            error.__traceback__ = error.__context__ = error.__cause__ = None
        raise problem

    def _down(self, error: psycopg.Error, samples: tuple[Sample, ...] = (), *, late: bool = False) -> SourceError:
        text = " ".join(str(error).split())
        if self._password:
            text = text.replace(self._password, "***")
        kind = "PgBouncer" if self._pooler else "PostgreSQL"
        return SourceError(f"{kind} at {self.where} {self._mend(error, text, late)}", samples)

    def _mend(self, error: psycopg.Error, text: str, late: bool) -> str:
        """What an error of the driver means, as the end of a sentence that names the mend."""
        from psycopg import errors

        lowered = text.lower()
        if isinstance(error, errors.LockNotAvailable | errors.QueryCanceled):
            return f"holds a lock that our read waits for, or is too busy for it ({_first(text)}): see pg_locks"
        if late or isinstance(error, errors.ConnectionTimeout) or "timeout expired" in lowered:
            return "does not answer in time: it is frozen or overloaded, or a firewall drops what is sent"
        if isinstance(error, errors.InsufficientPrivilege):
            return f"refuses a read ({_first(text)}): grant it as exporters/sql/role.sql does"
        if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
            return f"is not the database of a known Supercheck ({_first(text)}): check {self.setting}"
        for words, mend in _MENDS.items():
            if re.search(words, lowered):
                return mend.format(self.setting)
        return f"can't be read ({_first(text)}): check {self.setting} and that it runs"


_POOLER = "is a pooler, or something else stands between: {0} must name the PostgreSQL server itself"
_MENDS = {
    "unsupported startup parameter": _POOLER,
    "password authentication failed|no password supplied|role .* does not exist|sasl authentication failed": (
        "refuses the login: check user and password in {0}"
    ),
    "too many clients|remaining connection slots|too many connections|no more connections allowed": (
        "has no connection left for us: see who holds them in pg_stat_activity"
    ),
    'unrecognized configuration parameter "(pools|stats|databases|config)"|unsupported pkt type|no such database': (
        "is not PgBouncer's console: {0} must end in /pgbouncer"
    ),
    "not allowed|admin access needed": "does not show its console to this user: add it to stats_users, or check {0}",
}
"""What the servers say, in lower case, and the mend."""


def _is_pooler(text: str) -> bool:
    return "unsupported startup parameter" in text.lower()


def _said(up: Desc | None, value: int) -> tuple[Sample, ...]:
    return () if up is None else (up(value),)


def _first(text: str) -> str:
    """The server's own sentence; what stands around it repeats addresses or shows the statement."""
    text = re.sub(r"^.*?(?:FATAL|ERROR): ", "", text)
    return re.split(r"\s(?:LINE \d|DETAIL:|HINT:|CONTEXT:)", text, maxsplit=1)[0][:200]


class _Guard:
    """Shuts a connection's socket down when the time is over."""

    def __init__(self, connection: psycopg.Connection[Row], seconds: float) -> None:
        self.fired = False
        # a descriptor of our own: the driver may have closed its one when the timer fires
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._timer = threading.Timer(seconds, self._fire)
        self._timer.daemon = True

    def _fire(self) -> None:
        self.fired = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is closed at the other end already
            return

    def __enter__(self) -> _Guard:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self._socket.close()
