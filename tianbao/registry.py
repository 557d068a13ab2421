"""What can be added to Tianbao by a file and a row: fields of an arena, senses of a worm, assays of its behaviour.

The table registry.csv names each with the object that does it, so that nothing else has to be changed.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

from .errors import ConfigError, unknown
from .rows import read_rows

TABLE = Path(__file__).with_name("registry.csv")
KINDS = ("field", "sense", "assay")


@cache
def registered(kind: str, path: Path = TABLE) -> dict[str, str]:
    """Name -> "module:object" of everything of one kind.

    Raises:
        ConfigError: for a row of an unknown kind, a name that is there twice, or what is not "module:object".
    """
    found: dict[str, str] = {}
    for where, row in read_rows(path):
        if row["kind"] not in KINDS:
            raise ConfigError(f"{where}: {unknown('kind', row['kind'], KINDS)}")
        if row["object"].count(":") != 1:
            raise ConfigError(f"{where}: object '{row['object']}' must be 'module:name'")
        if row["kind"] != kind:
            continue
        if row["name"] in found:
            raise ConfigError(f"{where}: {kind} '{row['name']}' has two rows")
        found[row["name"]] = row["object"]
    return found


def find(kind: str, name: str) -> Any:
    """The object that a row names.

    Raises:
        ConfigError: for an unknown name, or an object that cannot be imported.
    """
    known = registered(kind)
    if name not in known:
        raise ConfigError(unknown(kind, name, known))
    module, _, attribute = known[name].partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{TABLE.name}: {kind} '{name}' is not at {known[name]}: {error}") from error
