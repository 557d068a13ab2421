"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import OutputError


def prepare_folder(path: str | Path) -> Path:
    """Make a folder for results and make sure that it can be written to.

    Raises:
        OutputError: if it cannot; found out before the run rather than after.
    """
    path = Path(path)
    probe = path / f".tianbao.{os.getpid()}"
    with _explained(path):
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    return path


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Write a file in one step, with the folders it needs: all of it, or the old one stays.

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
    """Give the path of a file in the same folder that takes the name `path` when the block ends well.

    Raises:
        OutputError: if the disk is full or the folder read-only.
    """
    path = Path(path)
    # The suffix stays last: writers of pictures and videos choose the format by it.
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"cannot write {path}: {reason}; choose a folder you may write to, or free some disk space"
        ) from error
