"""A process that works for another one ends with it, however that one ends: no orphan keeps computing."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import threading
import time

ORPHANED = 3
"""Exit status of a process whose parent has gone."""

_POLL_S = 0.5
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with(pid: int) -> None:
    """End this process as soon as another one has ended, in the middle of a computation or not.

    On Linux the kernel kills a child with its parent; a thread watches the other process everywhere, also where it is
    not the parent, as in a script that a shell has put into the background.

    Args:
        pid: number of the process on this machine.
    """
    if pid == os.getppid() and sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    handle = _handle(pid)
    if not _alive(pid):
        os._exit(ORPHANED)
    threading.Thread(target=_watch, args=(pid, handle, pid == os.getppid()), daemon=True).start()


def _handle(pid: int) -> int | None:
    """A handle of the process that its number, once given to another one, does not mislead; None without one."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, an old kernel, or gone
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _watch(pid: int, handle: int | None, parent: bool) -> None:
    while True:
        if handle is not None:
            poll = select.poll()
            poll.register(handle, select.POLLIN)  # readable when the process ends
            poll.poll()
            break
        time.sleep(_POLL_S)
        if not _alive(pid) or (parent and os.getppid() != pid):
            break
    os._exit(ORPHANED)
