"""Temporary files of atomic writing: their names, and clearing away those whose writer was killed.

The name says which process writes the file, and where: folders are shared between machines and containers, where the
same number is another process.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import stat
import time
from pathlib import Path

_NAME = re.compile(r"\..*\.(?P<place>[0-9a-f]{8})-(?P<process>\d{1,10})\.partial(?:\.[^.]*)?")
# A living writer elsewhere has touched its file since; a machine that was switched off has not.
_OLD_S = 86_400.0
_LONGEST_STEM, _LONGEST_SUFFIX = 120, 12  # bytes, characters: the name of the file itself may be as long as is possible


def temporary(path: Path) -> Path:
    """Where a file is written before it takes its place; unique to this process."""
    # The suffix is kept: writers of pictures and videos choose the format by it.
    stem = os.fsencode(path.stem)[:_LONGEST_STEM].decode("utf-8", "ignore")
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    return path.with_name(f".{stem}.{_place()}-{os.getpid()}.partial{suffix}")


def clear(folder: Path) -> None:
    """Remove the temporary files that killed processes have left in a folder; those of living ones stay."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            named = ".partial" in entry.name and _NAME.fullmatch(entry.name)
            if named:
                with contextlib.suppress(OSError):  # another process was quicker
                    if _abandoned(named, entry.stat(follow_symlinks=False)):
                        os.unlink(entry.path)


def _abandoned(named: re.Match, facts: os.stat_result) -> bool:
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
        return False
    if named["place"] != _place():
        return time.time() - facts.st_mtime > _OLD_S
    try:
        os.kill(int(named["process"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@functools.cache
def _place() -> str:
    """What a process number belongs to: a machine since it was started, and a container on it."""
    known = [platform.node()]
    with contextlib.suppress(OSError):
        known += [Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"), os.readlink("/proc/self/ns/pid")]
    return hashlib.sha256("|".join(known).encode()).hexdigest()[:8]
