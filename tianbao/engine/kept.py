"""Nervous systems that were read out of NEURON once, kept as files: the same worm starts at once the next time.

A file is named by what its content follows from: the worm's nervous system, the code and data of this installation, and
the versions of what assembles it. It lies among the compiled libraries, beside its digest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import sys
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .. import paths
from ..mechanisms import cache as libraries
from .extract import Extract, Instances, NervousSystem
from .layout import Forest

_MOST = 16
"""Files kept, of some 2 MB each; those used last stay."""
_DATA = ("mod", "morphologies", "connectome")
_PACKAGES = ("neuron", "netpyne", "numpy")
_OF_INSTANCES = ("node", "partner", "external")
_OF_SYSTEM = ("cell", "soma", "clamp", "muscle")


def find(key: object) -> NervousSystem | None:
    """The nervous system of a design's key, if it was kept and everything that it follows from is as it was."""
    name = _name(key)
    path = libraries.find(name) if name else None
    if path is None:
        return None
    libraries.used(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            return _system({name: file[name] for name in file.files})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # cleared away by another process meanwhile
        return None


def keep(key: object, system: NervousSystem) -> None:
    """Keep a nervous system under a design's key, where there is a folder for it."""
    if name := _name(key):
        libraries.keep(name, lambda path: np.savez(path, **_arrays(system)), _MOST)


def _name(key: object) -> str | None:
    """Name of the file of a key; None for a key that holds what has no spelling of its own."""
    try:
        text = _spelled(key)
    except TypeError:
        return None
    return f"systems/{hashlib.sha256(f'{_made_of()}|{text}'.encode()).hexdigest()[:16]}.npz"


def _spelled(value: object) -> str:
    """Text that is equal for equal values.

    Raises:
        TypeError: for a type without such a text.
    """
    if value is None or isinstance(value, (str, bytes, bool, int, float)):
        return repr(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return f"{type(value).__qualname__}{_spelled(fields)}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_spelled(name)}:{_spelled(each)}" for name, each in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "(" + ",".join(map(_spelled, value)) + ")"
    raise TypeError(f"no spelling of {type(value).__name__}")


@cache
def _made_of() -> str:
    """Digest of the code, data and versions that a nervous system follows from."""
    content = hashlib.sha256(f"{sys.version}|{platform.machine()}".encode())
    for name in _PACKAGES:
        content.update(f"|{name} {version(name)}".encode())
    package, data = Path(__file__).parents[1], paths.data_root()
    files = [each for kind in ("*.py", "*.csv") for each in package.rglob(kind)]
    files += [each for folder in _DATA for each in (data / folder).rglob("*") if each.is_file()]
    for path in sorted(files):
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()


def _arrays(system: NervousSystem) -> dict[str, np.ndarray]:
    """All of a nervous system, array by array."""
    its = system.extract
    found = {name: getattr(system, name) for name in _OF_SYSTEM}
    found |= {f"forest/{each.name}": getattr(its.forest, each.name) for each in dataclasses.fields(Forest)}
    found |= {name: getattr(its, name) for name in ("leak_conductance", "leak_current", "clamps")}
    found["external"] = np.array(its.external)
    found["kinds"] = np.array([each.kind for each in its.instances])
    found |= {f"shared/{name}": np.array(value) for name, value in its.shared.items()}
    for k, each in enumerate(its.instances):
        found |= {f"{k}/{name}": getattr(each, name) for name in _OF_INSTANCES}
        found |= {f"{k}/values/{name}": array for name, array in each.values.items()}
        found |= {f"{k}/concentration/{name}": array for name, array in each.concentration.items()}
    return found


def _system(arrays: Mapping[str, np.ndarray]) -> NervousSystem:
    """What `_arrays` took apart.

    Raises:
        KeyError: for an array that is not there.
    """

    def below(prefix: str) -> dict[str, Any]:
        """Arrays of a folder, by their names in it."""
        return {name.removeprefix(prefix): each for name, each in arrays.items() if name.startswith(prefix)}

    instances = tuple(
        Instances(
            str(kind), below(f"{k}/values/"), *(arrays[f"{k}/{name}"] for name in _OF_INSTANCES),
            below(f"{k}/concentration/"),
        )
        for k, kind in enumerate(arrays["kinds"])
    )  # fmt: skip
    extract = Extract(
        Forest(**below("forest/")), arrays["leak_conductance"], arrays["leak_current"], instances, arrays["clamps"],
        {name: float(each) for name, each in below("shared/").items()}, int(arrays["external"]),
    )  # fmt: skip
    return NervousSystem(extract, *(arrays[name] for name in _OF_SYSTEM))
