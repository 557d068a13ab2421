"""Finding the files of a run, and atomic writing, so that a reader never sees an incomplete file."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import OutputError, shorten
from . import leftovers

_HELD = (errno.EAGAIN, errno.EBUSY, errno.ETXTBSY, errno.EDEADLK)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_LOCKS = Path("/proc/locks")


def file_in(source: str | Path, name: str) -> Path:
    """The file at a path, or the file of the given name if the path is a folder; it need not exist.

    Raises:
        OutputError: if `source` is not a path.
    """
    if not isinstance(source, (str, os.PathLike)) or not str(source):
        raise OutputError(f"'{shorten(source)}' is not a path; give the folder of a run")
    return Path(source) / name if os.path.isdir(source) else Path(source)


def result_file(source: str | Path) -> Path:
    """The results file at a path, or the one in a folder.

    Raises:
        OutputError: if there is none.
    """
    path = file_in(source, "results.h5")
    if not os.path.isfile(path):
        raise OutputError(f"there is no results file {path}; give a results.h5 or the folder of a run")
    return path


def prepare_folder(path: str | Path) -> Path:
    """Create a folder for results and check that it can be written to.

    Raises:
        OutputError: if it cannot, before the run rather than after it.
    """
    path = _path(path, folder=True)
    with _explained(path):
        _probe(path)
    return path


def _probe(folder: Path) -> None:
    probe = leftovers.temporary(folder / "probe")
    folder.mkdir(parents=True, exist_ok=True)
    leftovers.clear(folder)
    probe.touch()
    probe.unlink()


def check_file(path: str | Path) -> None:
    """Check that a file can be written, before the work for it is done.

    Raises:
        OutputError: see `replacing`.
    """
    path = _path(path)
    if os.path.isdir(path):
        raise OutputError(f"cannot write {path}: it is a folder; give the path of a file")
    with _explained(path):
        _probe(path.parent)
        with contextlib.suppress(FileNotFoundError):
            os.stat(path)  # a name may be too long


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Reserve a folder for one run, so that the files of two runs are not mixed.

    Raises:
        OutputError: if another run is writing into it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise OutputError(f"another run is writing into {folder}; wait for it, or give another folder") from error
    except OSError:  # a file system that has no locks
        pass
    try:
        yield
    finally:
        os.close(handle)


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Write a file atomically, creating its folder: either completely, or the old one is kept.

    Raises:
        OutputError: if the disk is full or the folder read-only.
    """
    with replacing(path) as partial, open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(path)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Path of a temporary file in the same folder, which is renamed to `path` if the block succeeds.

    Raises:
        OutputError: if the disk is full or the folder read-only.
    """
    path = _path(path)
    # Absolute: ffmpeg takes a path that begins with a dash for an option, and one with a colon for an address.
    partial = leftovers.temporary(path.absolute())
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        leftovers.clear(path.parent)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def _path(path: str | Path, folder: bool = False) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not _can_be_named(str(path)):
        raise OutputError(f"cannot write '{shorten(path)}': give the path of a {'folder' if folder else 'file'}")
    path = Path(path)
    if not (folder or path.name):
        raise OutputError(f"cannot write {path}: it is a folder; give the path of a file")
    return path


def _can_be_named(text: str) -> bool:
    """Whether a file system may hold this name: not empty, without NUL and of characters it can encode."""
    try:
        return b"\0" not in os.fsencode(text) and text != ""
    except UnicodeEncodeError:
        return False


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        todo = "choose a folder you may write to, or free some disk space"
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            todo = "a file stands where a folder is needed: give another path"
        if error.errno in _HELD:
            todo = f"another program uses it{_holder(path)}: close it there"
        raise OutputError(f"cannot write {path}: {reason}; {todo}") from error


@contextlib.contextmanager
def reading(path: str | Path, what: str, source: str) -> Iterator[int]:
    """Explain why a file cannot be read; the block may raise any OSError about it.

    Args:
        path: of the file.
        what: it should be, such as "results file".
        source: where one comes from, for a file that is missing.

    Yields:
        Its size [bytes].

    Raises:
        OutputError: for a file that is missing, may not be read, is held by another program, or is a folder or device.
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path) or "\0" in str(path):
        raise OutputError(f"there is no {what} '{shorten(path)}'; {source}")
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no file, but a device or a pipe"
            raise OutputError(f"{path} is {kind}; give the path of a {what}")
        with open(path, "rb") as file:
            _check_unlocked(file)
        yield found.st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise OutputError(f"there is no {what} {path}; {source}") from error
    except OSError as error:
        locked = "unable to lock file" in str(error)  # the words of HDF5
        if locked and error.errno in _NO_LOCKS:
            todo = "its file system has no locks; set HDF5_USE_FILE_LOCKING=FALSE"
        elif locked:
            closing = f"it is locked by another program that has it open for writing{_holder(Path(path))}"
            todo = f"{closing}: close it there, or, if nothing writes into it, set HDF5_USE_FILE_LOCKING=FALSE"
        elif error.errno in _HELD:
            todo = f"another program uses it{_holder(Path(path))}: close it there"
        elif isinstance(error, PermissionError):
            todo = "permission denied; ask its owner for permission, or change it with chmod"
        else:
            todo = f"{error.strerror or error}; copy it to another disk"
        raise OutputError(f"cannot read the {what} {path}: {todo}") from error


def unlocked() -> bool:
    """Whether the user has told HDF5 to look at no locks."""
    return os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() in ("FALSE", "0")


def _check_unlocked(file: IO[bytes]) -> None:
    """Raise what HDF5 would for a file that another program has locked, whatever kind of file it is."""
    if unlocked():
        return
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(errno.EAGAIN, "unable to lock file") from error
    except OSError:  # a file system that has no locks
        pass


def _holder(path: Path) -> str:
    """The program that holds a lock on a file, in brackets; "" where the system does not tell."""
    try:
        found = os.stat(path)
        place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        rows = [line.split() for line in _LOCKS.read_text().splitlines()]
        number = next(row[4] for row in rows if len(row) > 5 and row[5] == place)
        return f" ({Path('/proc', number, 'comm').read_text().strip()}, process {number})"
    except (OSError, StopIteration, UnicodeDecodeError):
        return ""
