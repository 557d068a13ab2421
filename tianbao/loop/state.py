"""All that a run needs to continue as if it had never stopped, and the bytes that hold it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import OutputError

MAGIC = b"tianbao checkpoint 4\n"
_DIGEST = hashlib.sha256().digest_size
_FACTS = {
    "config": str, "versions": dict, "mechanisms": str, "anatomy": list, "revision": str, "every": float,
    "ticks": int, "planned": int, "wall_s": float, "generators": list,
}  # fmt: skip
# What NumPy raises on bytes that are not arrays.
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class LoopState:
    """Worms and their world between two ticks.

    Attributes:
        ticks: since the start.
        generators: state of the noise of each worm.
        arrays: of body and worms, by "part/name", such as "worms/0/brain/voltage".
    """

    ticks: int
    generators: tuple[dict, ...]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class RunState:
    """A run between two ticks.

    Attributes:
        facts: what has to be the same for the run to continue (configuration, versions, mechanism hash), and where it
            was: `ticks` done, `planned` ticks, `generators` of noise, `wall_s` spent.
        arrays: of the loop and the recorder, by "part/name".
    """

    facts: dict
    arrays: dict[str, np.ndarray]

    @property
    def loop(self) -> LoopState:
        """State of the loop."""
        return LoopState(self.facts["ticks"], tuple(self.facts["generators"]), self.arrays)

    def to_bytes(self) -> bytes:
        """A file's content: format, digest, and the arrays with their facts."""
        memory = io.BytesIO()
        np.savez(memory, facts=np.frombuffer(json.dumps(self.facts).encode(), np.uint8), **self.arrays)
        content = memory.getvalue()
        return MAGIC + hashlib.sha256(content).digest() + content

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> RunState:
        """What `to_bytes` wrote.

        Args:
            content: of a file.
            where: its name, for errors.

        Raises:
            OutputError: when it is of another format, cut short or changed.
        """
        if not content.startswith(MAGIC):
            is_ours = content.startswith(MAGIC[:18])
            what = "a checkpoint of another release" if is_ours else "not a checkpoint of Tianbao"
            raise OutputError(f"{where} is {what}; give the checkpoint that a run of this release has left")
        digest, rest = content[len(MAGIC) : len(MAGIC) + _DIGEST], content[len(MAGIC) + _DIGEST :]
        if hashlib.sha256(rest).digest() != digest:
            raise OutputError(f"{where} is cut short or was changed: its checksum is wrong; run the simulation again")
        try:
            with np.load(io.BytesIO(rest), allow_pickle=False) as file:
                arrays = dict(file)
            facts = json.loads(arrays.pop("facts").tobytes())
            wrong = [name for name, kind in _FACTS.items() if type(facts[name]) is not kind]
        except _DAMAGE as error:
            raise OutputError(f"{where} cannot be read ({error}); run the simulation again") from error
        if wrong or facts["ticks"] < 0:
            raise OutputError(f"{where} cannot be read: its '{(wrong or ['ticks'])[0]}' is not what a run writes")
        return cls(facts, arrays)


class Checkpoints(Protocol):
    """Where a run keeps its state on the way.

    Attributes:
        every: interval [ms].
    """

    every: float

    def keep(self, state: RunState) -> None:
        """Replace what was kept before, in one step."""


def gathered(**parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of several parts under "part/name"."""
    return {f"{name}/{key}": each for name, arrays in parts.items() for key, each in arrays.items()}


def part(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Arrays of one part, by their names within it."""
    return {key.removeprefix(f"{name}/"): each for key, each in arrays.items() if key.startswith(f"{name}/")}
