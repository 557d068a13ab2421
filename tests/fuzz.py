"""Inputs changed at random, with a seed: bytes anywhere, or content whose seal or digest is then made anew."""

from __future__ import annotations

import contextlib
import io
import json
import struct

import h5py
import numpy as np

from tianbao.errors import OutputError
from tianbao.io.apart import marked
from tianbao.io.tree import SEAL, read_tree, seal_of
from tianbao.loop.state import RunState

_WORDS = [0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1, 0x7FF0000000000000, 0x7FF8000000000000]
TEXTS = [
    "", "\x1b[2J\x1b]0;x\x07", "$\\frac{1}{2$", "_{^", "=1+1", "-2", "@x", "\u202eabc", "a/b", "..", "x" * 3000, "7",
    "\ud800", "nan", "{", '{"a": 1}', "[1]", "[" * 3000,
]  # fmt: skip
NUMBERS = [
    np.nan, np.inf, -np.inf, -1, 0, 1, True, 2**31, 2**63 - 1, 2**70, 1e300, -1e300, 1e-320, -1e18, 0.5, 1 + 2j,
]  # fmt: skip


def bytes_of(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with a few places flipped, overwritten, cut, doubled or swapped."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(max(1, len(changed))))
        size = int(rng.choice([1, 4, 8, 16, 64, 512]))
        how = int(rng.integers(7))
        if how == 0:
            changed[at : at + 1] = bytes([changed[at] ^ 1 << int(rng.integers(8))]) if changed else b""
        elif how == 1:
            changed[at : at + 8] = struct.pack("<Q", _WORDS[int(rng.integers(len(_WORDS)))])
        elif how == 2:
            changed[at : at + size] = rng.bytes(size)
        elif how == 3:
            changed[at : at + size] = bytes(size)
        elif how == 4:
            del changed[at : at + size]
        elif how == 5:
            changed[at:at] = changed[at : at + size]
        else:
            other = int(rng.integers(max(1, len(changed))))
            changed[at : at + size] = changed[other : other + size]
    return bytes(changed)


def value(rng: np.random.Generator) -> object:
    """A text or a number that nobody expects."""
    return (TEXTS if rng.integers(2) else NUMBERS)[int(rng.integers(12))]


def numbers(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An array with other values, another shape or another type."""
    how, odd = int(rng.integers(7)), NUMBERS[int(rng.integers(len(NUMBERS)))]
    if how < 3 and values.size and isinstance(odd, (int, float)):
        changed = np.array(values, float)
        changed.ravel()[rng.integers(changed.size, size=3)] = odd
        return changed
    if how == 3:
        return values[: len(values) // 2] if values.ndim else values[None]
    if how == 4:
        return values.astype([np.float32, np.int8, np.complex128, bool][int(rng.integers(4))])
    if how == 5:
        return np.zeros([(), (0,), (1,), (3, 0), (2, 2)][int(rng.integers(5))])
    return np.concatenate([values, values]) if values.ndim else values


def results_of(content: bytes, rng: np.random.Generator) -> bytes:
    """A results file with another attribute, array or name, sealed again where that is possible."""
    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        paths = [""]
        file.visit(paths.append)
        for _ in range(int(rng.integers(1, 3))):
            path = paths[int(rng.integers(len(paths)))]
            if path not in file and path:
                continue
            try:
                _change(file, path, rng)
            except (TypeError, ValueError, OverflowError, RuntimeError, KeyError, OSError):
                continue  # more than HDF5 itself takes
        with contextlib.suppress(OutputError, TypeError, ValueError, RuntimeError):  # then the old seal stays
            file.attrs[SEAL] = seal_of(read_tree(file, 10**9))
    return marked(memory.getvalue())


def _change(file: h5py.File, path: str, rng: np.random.Generator) -> None:
    each, how = file[path or "/"], int(rng.integers(4))
    if how == 0 or not path:
        names = [*each.attrs, "odd"]
        each.attrs[names[int(rng.integers(len(names)))]] = value(rng)
    elif how == 1:
        del file[path]
    elif how == 2 and isinstance(each, h5py.Dataset):
        content = each[()]
        if content.dtype.kind == "O":
            names = list(each.asstr()[()])
            names[:1] = [str(value(rng))]
            content = np.array(names, object)
        else:
            content = numbers(content, rng)
        del file[path]
        file.create_dataset(path, data=content, **({"dtype": h5py.string_dtype()} if content.dtype.kind == "O" else {}))
    else:
        file.move(path, f"{path}{value(rng)}" if rng.integers(2) else str(value(rng)))


def checkpoint_of(content: bytes, rng: np.random.Generator) -> bytes:
    """A checkpoint with another fact or array, and a digest that fits."""
    state = RunState.from_bytes(content, "kept")
    facts, arrays = json.loads(json.dumps(state.facts)), dict(state.arrays)
    names = list(arrays)
    for _ in range(int(rng.integers(1, 3))):
        # Brains hold most arrays: each part gets its turn.
        part = ["body/", "recorder/", "worms/", ""][int(rng.integers(4))]
        name = [each for each in names if each.startswith(part)]
        name = name[int(rng.integers(len(name)))]
        how = int(rng.integers(5))
        if how == 0:
            key = list(facts)[int(rng.integers(len(facts)))]
            odd = [value(rng), [], {}, None, [value(rng)], {"a": value(rng)}][int(rng.integers(6))]
            facts[key] = str(odd) if isinstance(odd, complex) else odd
        elif how == 1:
            arrays.pop(name, None)
        elif how == 2 and name in arrays:
            arrays[str(value(rng)).replace("\ud800", "") + name] = arrays.pop(name)
        elif name in arrays:
            arrays[name] = numbers(arrays[name], rng)
    return RunState(json.loads(json.dumps(facts, default=str)), arrays).to_bytes()
