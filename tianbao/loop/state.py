"""All that a run needs to continue as if it had never stopped, and the bytes that hold it."""

from __future__ import annotations

import hashlib
import io
import json
import math
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError, OutputError, shorten

MAGIC = b"tianbao checkpoint 4\n"
_DIGEST = hashlib.sha256().digest_size
_FACTS = {
    "config": str, "versions": dict, "mechanisms": str, "anatomy": list, "revision": str, "every": float,
    "ticks": int, "planned": int, "wall_s": float, "generators": list,
}  # fmt: skip
_LONGEST_MS = 1e9
_MOST_TICKS = 2**53
_OTHER = "it belongs to another network or world; resume it with the worm and the arena it was taken from"
# What NumPy, zipfile and JSON raise on bytes that are not arrays.
_DAMAGE = (
    ValueError, LookupError, TypeError, AttributeError, OSError, EOFError, ArithmeticError, RuntimeError, MemoryError,
    SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


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
        own = {name: each for name, each in self.arrays.items() if not name.startswith("recorder/")}
        return LoopState(self.facts["ticks"], tuple(self.facts["generators"]), own)

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
            arrays = _arrays(rest)
            facts = json.loads(arrays.pop("facts").tobytes())
            json.dumps(facts, ensure_ascii=False).encode()  # half a character is none
            wrong = [name for name, kind in _FACTS.items() if type(facts[name]) is not kind]
        except _DAMAGE as error:
            raise OutputError(f"{where} cannot be read ({shorten(error)}); run the simulation again") from error
        if wrong := wrong or _impossible(facts):
            raise OutputError(f"{where} cannot be read: its '{wrong[0]}' is not what a run writes")
        return cls(facts, arrays)


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    """What `numpy.savez` wrote; nothing takes more memory than the file.

    Raises:
        ValueError: for a member that is packed, or whose size is not that of its array.
    """
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or name in arrays or not name.isprintable():
                raise ValueError(f"'{name}' is packed or there twice")
            rest = io.BytesIO(archive.read(member))
            version = np.lib.format.read_magic(rest)
            if version != (1, 0):
                raise ValueError(f"'{name}' is of another format")
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(rest)
            values = rest.read()
            size = dtype.itemsize * math.prod(shape)
            if dtype.kind not in "biuf" or size != len(values) or min(shape, default=0) < 0:
                raise ValueError(f"'{name}' is not as large as it says")
            arrays[name] = np.frombuffer(values, dtype).reshape(shape, order="F" if by_column else "C").copy()
    return arrays


def _impossible(facts: dict) -> list[str]:
    """Facts of the right type that no run writes."""
    texts = [*facts["versions"], *facts["versions"].values()]
    fine = {
        "versions": all(isinstance(each, str) for each in texts),
        "anatomy": all(isinstance(each, dict) for each in facts["anatomy"]),
        "every": 0.0 <= facts["every"] <= _LONGEST_MS,
        "ticks": 0 <= facts["ticks"] <= facts["planned"] <= _MOST_TICKS,
        "wall_s": 0.0 <= facts["wall_s"] < math.inf,
        "generators": all(isinstance(each, dict) for each in facts["generators"]),
    }
    return [name for name, good in fine.items() if not good]


def check_like(
    given: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray], most: Callable[[str], float | None]
) -> None:
    """Refuse arrays that cannot take the place of others.

    Args:
        given: of a state.
        own: what they are to replace.
        most: largest absolute value in an array of this name; None where anything may stand.

    Raises:
        ConfigError: for another name, shape or data type, or a number out of range.
    """
    for name in [*own, *given]:
        if name not in given or name not in own:
            raise ConfigError(f"the state {'has' if name in given else 'lacks'} '{shorten(name)}': {_OTHER}")
        new, old = np.asarray(given[name]), own[name]
        if new.shape != old.shape or new.dtype != old.dtype:
            what = f"{new.dtype} {new.shape}, and {old.dtype} {old.shape} is needed"
            raise ConfigError(f"the state's '{name}' is {what}: {_OTHER}")
        limit = most(name)
        if limit is not None and not (np.abs(new) <= limit).all():
            what = "a finite number" if limit == sys.float_info.max else f"a number up to {limit:g}"
            raise ConfigError(f"the state's '{name}' is not {what}: run the simulation again")


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
