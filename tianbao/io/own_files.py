"""Files of our own in a folder that somebody else may have filled: no link is followed, nothing foreign is emptied."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ..errors import OutputError

# A pipe or a device would make `open` wait for its other end.
_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def open_own(path: Path, flags: int) -> int:
    """Open or create a file that belongs to this folder alone, without emptying it.

    Args:
        path: of the file.
        flags: of `os.open`, such as `os.O_RDWR` or `os.O_WRONLY | os.O_APPEND`.

    Returns:
        File descriptor, for the caller to close.

    Raises:
        OutputError: if it is a link, a folder, a device or a file that has another name elsewhere, or cannot be opened.
    """
    try:
        handle = os.open(path, flags | os.O_CREAT | _SAFE, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _foreign(path) from error
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    state = os.fstat(handle)
    if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
        os.close(handle)
        raise _foreign(path)
    return handle


def read_own(path: Path, most: int) -> bytes:
    """The content of a regular file.

    Args:
        path: of the file.
        most: largest size [bytes].

    Raises:
        OSError: if it is missing, a link, something other than a file, or larger.
    """
    handle = os.open(path, os.O_RDONLY | _SAFE)
    with open(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_size > most:
            raise OSError(errno.EFBIG, f"it is not a regular file of at most {most} bytes", str(path))
        return file.read(most)


def check_own_folder(path: Path) -> None:
    """Refuse a folder for results that is a link to elsewhere, or no folder; it need not exist.

    Raises:
        OutputError: if it is.
    """
    if os.path.lexists(path) and not stat.S_ISDIR(os.lstat(path).st_mode):
        raise OutputError(
            f"{path} is not a folder of this sweep but a {'link' if path.is_symlink() else 'file'}: remove it, or give "
            "another folder"
        )


def _foreign(path: Path) -> OutputError:
    return OutputError(
        f"{path} is a link or not a regular file, so it is not one of ours: remove it, or give another folder"
    )
