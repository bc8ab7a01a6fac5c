"""The connections to a worklist file: one for each thread; for reading only, where one may not write."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from focusviewer.core.errors import UserError
from focusviewer.qc.worklist.network import on_network
from focusviewer.qc.worklist.schema import FILE_NAME, check_schema, migrate

BUSY_S = 30.0
READ_ONLY = "you may only read it there"
READ_ONLY_ADVICE = "Copy its folder to where you may write, and open it there."
_ADVICE = f"Choose the {FILE_NAME} that a batch has written."
_BROKEN = (sqlite3.Error, OSError, UnicodeError, OverflowError)
"""What a file that is damaged, or gone, makes of a query; SQLite's own messages may hold bytes of it."""

Stamp = tuple[int, int, int, int]


class Connections:
    """Connections to one file, made when a thread first needs one.

    A file that may not be written to, or that lies where nothing may be written, is opened for reading only. Where not
    even the small files beside it can be made that programs coordinate themselves by, it is read as a file that stands
    still, and opened anew when it has changed.

    Parameters
    ----------
    path : Path
    make : bool
        Make the file when it is missing, and fill it when it is empty.

    Raises
    ------
    UserError
        If it cannot be opened, is no worklist, or is of another version and cannot be brought up to date.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self.path, self._make = path, make
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self.read_only = path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
        if not make and not path.is_file():
            raise UserError(f"Cannot open the worklist {path}", "there is no such file", _ADVICE)
        try:
            try:
                self._start()
            except sqlite3.OperationalError:
                # The system said that we may write, and was wrong: shares have rights of their own.
                if self.read_only or not path.is_file():
                    raise
                self.close()
                self.read_only = True
                self._start()
        except _BROKEN as error:
            self.close()
            raise UserError(f"Cannot open the worklist {path}", str(error), _ADVICE) from error
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        if self.read_only:
            self.get()
        else:
            migrate(self.get(), self.path)

    def get(self) -> sqlite3.Connection:
        """The connection of this thread."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and self.read_only and self._local.stamp != self._stamp():
            with self._lock:
                self._all.remove(connection)
            connection.close()
            connection = None
        if connection is None:
            connection = self._open_to_read() if self.read_only else self._open_to_write()
            self._local.connection = connection
        return connection

    def _stamp(self) -> Stamp | None:
        """What changes with a file that is read as one that stands still; None for others."""
        if not self._local.still:
            return None
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev

    def _open_to_write(self) -> sqlite3.Connection:
        connection = self._keep(self._connect(str(self.path), uri=False))
        check_schema(connection, self.path, empty=self._make)
        connection.execute("PRAGMA foreign_keys = ON")
        # Write-ahead logs need memory that programs share, which network folders do not give.
        connection.execute(f"PRAGMA journal_mode = {'DELETE' if on_network(self.path) else 'WAL'}")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _open_to_read(self) -> sqlite3.Connection:
        address = f"file:{quote(str(self.path.absolute()))}?mode=ro"
        self._local.still = False
        try:
            connection = self._keep(self._connect(address, uri=True))
            check_schema(connection, self.path, empty=False, older=False)
        except sqlite3.OperationalError:
            if _has_log(self.path):  # what it holds would be missed
                raise
            self._local.still = True
            self._local.stamp = self._stamp()  # taken first: what changes meanwhile is then read again
            connection = self._keep(self._connect(f"{address}&immutable=1", uri=True))
            check_schema(connection, self.path, empty=False, older=False)
        else:
            self._local.stamp = None
        return connection

    def _connect(self, address: str, *, uri: bool) -> sqlite3.Connection:
        # Closed by whichever thread closes the worklist; used by its own thread only.
        connection = sqlite3.connect(
            address, uri=uri, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        connection.row_factory = sqlite3.Row
        # Nothing that a file of unknown origin brings along may do more than hold values.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        return connection

    def _keep(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        with self._lock:
            self._all.append(connection)
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: takes the write lock at once, so that nothing read in it can be out of date.

        Raises
        ------
        UserError
            If the file cannot be written to.
        """
        if self.read_only:
            raise UserError(f"Cannot write to the worklist {self.path}", READ_ONLY, READ_ONLY_ADVICE)
        try:
            connection = self.get()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except _BROKEN as error:
            advice = "Free some space, or wait for the other program, and try again."
            raise UserError(f"Cannot write to the worklist {self.path}", str(error), advice) from error

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """All rows that a query finds.

        Raises
        ------
        UserError
            If the file cannot be read.
        """
        try:
            return self.get().execute(query, values).fetchall()
        except _BROKEN as error:
            raise UserError(f"Cannot read the worklist {self.path}", str(error), "Is it whole?") from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
            self._local = threading.local()


def _has_log(path: Path) -> bool:
    """Whether a write-ahead log with something in it lies beside the file."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False
