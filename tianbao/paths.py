"""Where the data that travel with Tianbao lie, and where it may keep what can be made again."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import TianbaoError

_CHECKOUT = Path(__file__).resolve().parents[1]
_PROBE = bytes(1 << 16)


def data_root() -> Path:
    """Folder that holds mod/, morphologies/ and connectome/.

    Raises:
        TianbaoError: an installation without its data.
    """
    if (_CHECKOUT / "mod").is_dir() and (_CHECKOUT / "setup.cfg").is_file():
        return _CHECKOUT
    # pip puts the share folder under the prefix of the scheme in use (environment, --user, --prefix, --target), which
    # is always a folder above the package; which one depends on the system (lib, lib64, dist-packages).
    for parent in Path(__file__).resolve().parents:
        if (parent / "share" / "tianbao" / "mod").is_dir():
            return parent / "share" / "tianbao"
    raise TianbaoError(
        f"the data of Tianbao (mod/, morphologies/, connectome/) were not found in share/tianbao of any folder above "
        f"{_CHECKOUT}: install it again with pip"
    )


def checkout() -> Path | None:
    """Root of the source checkout, or None in an installed wheel."""
    return _CHECKOUT if (_CHECKOUT / "setup.cfg").is_file() else None


def home() -> Path | None:
    """The user's home, which need not exist; None for a user without one, as in many containers."""
    given = os.environ.get("HOME")
    if not given:
        try:
            given = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return None
    return Path(given) if os.path.isabs(given) else None


def user_cache() -> Path | None:
    """Our folder in the user's cache, which may not exist or not be writable; None for a user without a home."""
    return _in_home("XDG_CACHE_HOME", ".cache", "tianbao")


def _in_home(variable: str, default: str, name: str) -> Path | None:
    given, own = os.environ.get(variable, ""), home()
    if os.path.isabs(given):
        return Path(given) / name
    return own / default / name if own else None


def can_write(folder: Path | None) -> bool:
    """Whether files can be written in a folder, which is made if it is not there."""
    if folder is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(_PROBE)
            probe.flush()
    except OSError:
        return False
    return True


def settle_matplotlib() -> None:
    """Give matplotlib a folder for its fonts where its own cannot be written to; it would warn at every start.

    To be called before it is first imported.
    """
    if "matplotlib" in sys.modules:
        return
    given = os.environ.get("MPLCONFIGDIR")
    own = _in_home("XDG_CONFIG_HOME", ".config", "matplotlib"), _in_home("XDG_CACHE_HOME", ".cache", "matplotlib")
    if all(map(can_write, [Path(given)] if given else own)):
        return
    cache = user_cache()
    kept = cache / "matplotlib" if cache else None
    os.environ["MPLCONFIGDIR"] = str(kept if can_write(kept) else passing_folder("tianbao-matplotlib-"))


def readable(name: str) -> str:
    """The name of a file as text to show: what the locale could not decode is read as UTF-8, or replaced."""
    try:
        content = name.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        content = name.encode(errors="replace")
    return content.decode(errors="replace")


@contextlib.contextmanager
def kept_figures() -> Iterator[None]:
    """Keep matplotlib's backend while NetPyNE is imported, which sets another where there is no display.

    The figures of a notebook would no longer be shown.
    """
    chosen = "MPLBACKEND" in os.environ or "matplotlib.pyplot" in sys.modules
    if not chosen:
        yield
        return
    import matplotlib

    before = matplotlib.get_backend()
    yield
    if matplotlib.get_backend() != before:
        matplotlib.use(before)


def passing_folder(prefix: str) -> Path:
    """A folder for temporary files that is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(_remove, folder, os.getpid())
    return Path(folder)


def _remove(folder: str, owner: int) -> None:
    # A forked child that ends has no say in it.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
