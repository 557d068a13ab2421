"""Checkpoint files: the state of a run, replaced in one step, refused unless it is whole."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, OutputError
from ..loop.state import RunState
from ..rows import finite
from .files import write_atomically


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
        self.path, self.every = Path(path), finite(every, "checkpoints", "every", "ms")
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
        try:
            content = self.path.read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"cannot read the checkpoint {self.path}: {reason}; a run leaves one") from error
        return RunState.from_bytes(content, self.path.name)
