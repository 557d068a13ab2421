"""Where compiled libraries and what else can be made again are kept: each file beside its digest, replaced as a whole.

A library that was cut short, changed or swapped for another would crash the process or compute something else without
a word, so nothing is loaded whose digest does not lie beside it; it is made again instead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import paths
from ..errors import MechanismError

log = logging.getLogger(__name__)

VARIABLE = "TIANBAO_MECHS"
_BUILDING = ".building-"
_LEAST_DISK = 1 << 20  # bytes
# make splits paths at blanks, NEURON takes ASCII only and has short buffers, the loader replaces $ORIGIN.
_PLAIN = re.compile(r"[A-Za-z0-9_./+=,@-]{1,300}")

replaced: set[Path] = set()
"""Libraries that this process has compiled again because they were not as they had been compiled."""


def roots() -> list[Path]:
    """Folders that are searched for libraries, in this order; they need not exist or be writable.

    The one that TIANBAO_MECHS gives, and no other; else build/mechs of a checkout and the user's cache.
    """
    if override := os.environ.get(VARIABLE):
        return [Path(os.path.realpath(os.path.expanduser(override)))]
    checkout, user = paths.checkout(), paths.user_cache()
    return [*([checkout / "build" / "mechs"] if checkout else []), *([user / "mechs"] if user else [])]


def find(name: str) -> Path | None:
    """The library of a name, such as "1319175c7a59/libnrnmech.so", if there is one that is as it was compiled."""
    return next((root / name for root in roots() if _is_whole(root / name, name)), None)


def obtain(name: str, make: Callable[[Path], Path]) -> tuple[Path, bool]:
    """The library of a name; if several processes ask at once, one of them compiles it.

    Args:
        name: relative path in the folder of libraries.
        make: compiles it in the empty folder that it is given, and returns the file.

    Returns:
        Its path, and whether this call compiled it.

    Raises:
        MechanismError: from `make`, or if it cannot be kept.
    """
    present = find(name)
    if present is not None:
        return present, False
    root = _root()
    with _explained(root), _lock(root):
        # Another process may have finished while this one waited.
        present = find(name)
        if present is not None:
            return present, False
        if (root / name).exists():
            log.warning("%s was changed since it was compiled, or is of an older release: compiling it again", name)
            replaced.add(root / name)
        with _scratch(root) as work:
            try:
                made = make(work)
            except MechanismError as error:
                if shutil.disk_usage(work).free < _LEAST_DISK:
                    # The compiler says something else.
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
                raise
            _keep(made, root, name)
    return root / name, True


def keep(name: str, write: Callable[[Path], object], most: int) -> None:
    """Keep a file that can be made again, where that is possible; those of its folder that were used longest ago go.

    Args:
        name: relative path in the folder of libraries.
        write: writes it to the path that it is given, which has the same suffix.
        most: how many files its folder keeps.
    """
    root = next(filter(paths.can_write, roots()), None)
    if root is None:
        return
    try:
        with _lock(root), _scratch(root) as work:
            made = work / Path(name).name
            write(made)
            _keep(made, root, name)
            _forget((root / name).parent, most)
    except OSError as error:
        log.info("%s was not kept in %s (%s)", name, root, error.strerror or error)


def used(path: Path) -> None:
    """Note that a file was used, so that `keep` does not let it go before others."""
    with contextlib.suppress(OSError):  # another user's
        os.utime(path)


def _forget(folder: Path, most: int) -> None:
    """Remove all but the files used last, with their digests."""
    seals = {_seal(each) for each in folder.iterdir()}
    files = sorted((each for each in folder.iterdir() if each not in seals), key=lambda each: each.stat().st_mtime)
    for each in files[:-most]:
        for path in (each, _seal(each)):
            path.unlink(missing_ok=True)


def _is_whole(path: Path, name: str) -> bool:
    try:
        return _seal(path).read_text(encoding="ascii").strip() == _digest(path, name)
    except (OSError, UnicodeDecodeError):
        return False


def _digest(path: Path, name: str) -> str:
    # With its name: two good libraries that were swapped are wrong as well.
    content = hashlib.sha256(name.encode() + b"\0")
    content.update(path.read_bytes())
    return content.hexdigest()


def _seal(path: Path) -> Path:
    """File that holds the digest of a library."""
    return path.with_name(f"sha256-{path.name}.txt")


def _keep(made: Path, root: Path, name: str) -> None:
    """Move a new library and its digest to their place, each in one step; whoever runs the old one keeps it."""
    final = root / name
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=_BUILDING) as folder:
        whole = Path(folder) / final.name
        shutil.copy(made, whole)
        _seal(whole).write_text(f"{_digest(whole, name)}\n", encoding="ascii")
        for each in (whole, _seal(whole)):
            os.replace(each, final.parent / each.name)


def _root() -> Path:
    """The first folder that libraries can be written to; one that lasts as long as this process if there is none."""
    known = roots()
    if os.environ.get(VARIABLE):
        return known[0]
    return next(filter(paths.can_write, known), None) or _passing()


def _passing() -> Path:
    folder = paths.passing_folder("tianbao-mechs-")
    tried = ", ".join(map(str, roots())) or "there is no home folder"
    log.warning(
        "compiled for this process only, because no folder for compiled mechanisms can be written to (%s): "
        "set TIANBAO_MECHS to a folder that is kept", tried,
    )  # fmt: skip
    # Processes that this one starts find it too.
    os.environ[VARIABLE] = str(folder)
    return folder


@contextlib.contextmanager
def _explained(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise MechanismError(
            f"cannot write to {root} ({reason}): set TIANBAO_MECHS to a folder you can write to, with 100 MB to spare"
        ) from error


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Hold the lock of a folder of libraries, and clear away what builds that were killed have left in it."""
    root.mkdir(parents=True, exist_ok=True)
    # Opened for reading: the lock of a shared folder may be another user's.
    handle = os.open(root / ".lock", os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(OSError):  # a file system that has no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
            for leftover in root.glob(f"{_BUILDING}*"):
                shutil.rmtree(leftover, ignore_errors=True)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """An empty folder to compile in, whose path make and NEURON can read."""
    with tempfile.TemporaryDirectory(dir=root if is_plain(root) else plain_folder(), prefix=_BUILDING) as folder:
        yield Path(folder)


def is_plain(path: Path) -> bool:
    """Whether make, NEURON and the loader of libraries can all read a path."""
    return _PLAIN.fullmatch(str(path)) is not None


@contextlib.contextmanager
def plain(path: Path) -> Iterator[Path]:
    """A path to a file that NEURON and the loader can read while the block lasts: its own, or a link to it."""
    if is_plain(path):
        yield path
        return
    with tempfile.TemporaryDirectory(dir=plain_folder(), prefix="tianbao-") as folder:
        link = Path(folder) / f"library{path.suffix}"
        link.symlink_to(path)
        yield link


def plain_folder() -> Path:
    """A folder for temporary files whose path NEURON can read.

    Raises:
        MechanismError: if there is none.
    """
    with contextlib.suppress(FileNotFoundError):
        if is_plain(Path(tempfile.gettempdir())):
            return Path(tempfile.gettempdir())
    for each in map(Path, ("/tmp", "/var/tmp", "/dev/shm")):
        if each.is_dir() and os.access(each, os.W_OK):
            return each
    raise MechanismError(
        "no folder for temporary files has a path of plain letters and digits, which NEURON needs: "
        "set TMPDIR to one that you can write to"
    )
