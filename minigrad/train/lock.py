"""One process at a time: a lock that the system takes back when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Any

from minigrad.errors import RunError

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        os.lseek(handle, 1 << 30, os.SEEK_SET)  # a byte that is not there, so that the number can be read
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """A lock file. It holds the number of the process, for whoever is kept out.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "lock"
        >>> one, other = Lock(path), Lock(path)
        >>> one.acquire()
        >>> try:
        ...     other.acquire()
        ... except RunError as error:
        ...     print(error.expected)
        a folder in which no other process trains
        >>> one.release()
        >>> other.acquire()
        >>> other.release()
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            RunError: another holder has it.
            OSError: the file cannot be made, or not be locked.
        """
        fresh = not self.path.exists()
        file = open(self.path, "a+b")  # noqa: SIM115 - open as long as the lock is held
        try:
            _take(file.fileno())
        except OSError as error:
            file.seek(0)
            holder = file.read(20).decode("ascii", "replace").strip()
            file.close()
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):  # a file system without locks
                if fresh:
                    self.path.unlink()
                raise
            got = f"process {holder}, which does" if holder.isdigit() else "one that does"
            remedy = "Wait for it, stop it, or train into another folder with --out"
            expected = "a folder in which no other process trains"
            raise RunError("run", str(self.path.parent), expected, got, remedy) from error
        self._file = file
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()

    @property
    def held(self) -> bool:
        """Whether it is held here."""
        return self._file is not None

    def release(self) -> None:
        """Give it back; without effect where it is not held."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # the number did not fit on the disk; it is of no use now
                file.close()
