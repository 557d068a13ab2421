"""Checkpoint files: the state of a run, replaced in one step, refused unless it is whole."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ..arguments import named_arguments
from ..errors import ConfigError, shorten
from ..loop.state import RunState
from ..rows import number
from .files import reading, write_atomically

_LONGEST = 1e9  # [ms]


@named_arguments
class Checkpoints:
    """One file that always holds the newest state of a run.

    Attributes:
        path: of the file.
        every: interval [ms] of biology.
    """

    def __init__(self, path: str | Path, every: float = 1000.0) -> None:
        """
        Args:
            path: of the file.
            every: interval [ms] of biology.

        Raises:
            ConfigError: for an interval that is not positive.
        """
        if not isinstance(path, (str, PathLike)) or not str(path):
            raise ConfigError(f"checkpoints: give the path of a file, not '{shorten(path)}'")
        self.path, self.every = Path(path), number(every, "checkpoints", "every", "ms", high=_LONGEST)
        if not self.every > 0.0:
            raise ConfigError(f"checkpoints: every = {every:g} ms must be positive")

    def keep(self, state: RunState) -> None:
        """Replace the file.

        Raises:
            OutputError: if the disk is full or the folder read-only; the file before stays.
        """
        write_atomically(self.path, state.to_bytes())

    def read(self) -> RunState:
        """The newest state.

        Raises:
            OutputError: if there is no file, or it is cut short, changed or of another release.
        """
        with reading(self.path, "checkpoint", "a run leaves one"):
            content = self.path.read_bytes()
        return RunState.from_bytes(content, self.path.name)
