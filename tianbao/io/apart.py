"""Whether a file is as it was written and, where nothing shows that, whether the HDF5 library survives it.

On changed bytes the library may run for ever or end the process, in which a day of work may be. Results files therefore
end in a digest of all their bytes, which HDF5 does not look at. A file that has none was written by an older release or
changed by another program: it is read in a process of its own first.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import subprocess
import sys
from pathlib import Path

from ..errors import OutputError
from .files import unlocked

_MARK = b"\ntianbao sha256 "
_DIGEST = hashlib.sha256().digest_size
_PATIENCE_S = 8.0
_SLOWEST = 20e6  # [bytes/s]
_TRY = "import sys; from tianbao.io.hdf5 import content_of; content_of(sys.argv[1], int(sys.argv[2]))"


def marked(content: bytes) -> bytes:
    """A file's content with a digest of it at the end."""
    return content + _MARK + hashlib.sha256(content).digest()


def check_bytes(path: str | Path, size: int) -> None:
    """Make sure that a file can be opened in this process.

    Args:
        path: of the file.
        size: [bytes].

    Raises:
        OutputError: if its bytes were changed, or it breaks the HDF5 library.
    """
    length = len(_MARK) + _DIGEST
    if size > length:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[-length:-_DIGEST] == _MARK:
                with memoryview(content) as view:
                    digest = hashlib.sha256(view[:-length]).digest()
                if digest == content[-_DIGEST:]:
                    return
                if not unlocked():  # otherwise another program may have it open, and only its content counts
                    raise OutputError("changed after the run, its seal is broken; run the simulation again")
    _survive(path, size)


def _survive(path: str | Path, size: int) -> None:
    """Read a file in a process of its own; what Python raises there is left to this one.

    Raises:
        OutputError: if that process dies, or does not come to an end.
    """
    package = str(Path(__file__).parents[2])
    places = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    command = [sys.executable, "-c", _TRY, os.path.abspath(path), str(size)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        ended = subprocess.run(command, env=environment, timeout=_PATIENCE_S + size / _SLOWEST, check=False, **quiet)
    except subprocess.TimeoutExpired as error:
        raise OutputError("damaged: reading it does not come to an end; run the simulation again") from error
    if ended.returncode < 0:
        raise OutputError("damaged: the HDF5 library breaks on it; run the simulation again")
