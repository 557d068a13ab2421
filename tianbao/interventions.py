"""Interventions on a worm in the form used in files: tables of a name and its arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, TianbaoError, shorten, unknown

if TYPE_CHECKING:
    from .worm import Worm

_ALONE = "; write the number alone, without a unit"

VERBS = (
    "ablate",
    "silence",
    "illuminate",
    "express",
    "clamp",
    "stimulate",
    "hold",
    "touch",
    "tap",
    "knock_out",
    "knock_down",
    "over_express",
    "modulate",
    "set_conductance",
    "cut_synapses",
    "scale_synapses",
    "cut_gap_junctions",
    "scale_gap_junctions",
    "silence_stretch_receptors",
    "shuffle",
)
"""Names of all interventions, which are methods of `tianbao.Worm`."""


def apply(worm: Worm, table: Mapping[str, Any], where: str = "intervention") -> Worm:
    """Apply the intervention given by a table to a worm.

    Args:
        worm: changed in place.
        table: the key `verb` gives the intervention, all others are its arguments, such as
            {"verb": "ablate", "neurons": ["AVB*"]}.
        where: location of the table for error messages.

    Returns:
        The same worm.

    Raises:
        ConfigError: for an unknown intervention or argument, a missing argument, or a value of the wrong type.
        AnatomyError: for an unknown cell.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: an intervention is a table with a verb, not {shorten(repr(table))}")
    arguments = dict(table)
    if "verb" not in arguments:
        raise ConfigError(f"{where} has no key 'verb'; it gives the intervention, such as verb = \"ablate\"")
    verb = arguments.pop("verb")
    if verb not in VERBS:
        raise ConfigError(f"{where}: {unknown('intervention', str(verb), VERBS)}")
    method = getattr(worm, verb)
    many, named = _bound(method, arguments, f"{where}: {verb}")
    try:
        return method(*many, **named)
    except TianbaoError as error:
        raise type(error)(f"{where}: {error}") from error


def _bound(method: Any, arguments: dict[str, Any], where: str) -> tuple[list[str], dict[str, Any]]:
    """Arguments of a call: the names it takes any number of, and the others by keyword."""
    if "pulse" in inspect.signature(method).parameters:
        arguments = _with_pulse(arguments, where)
    parameters = [*inspect.signature(method).parameters.values()]
    known = {each.name: each for each in parameters}
    for name in arguments:
        if name not in known:
            raise ConfigError(f"{where}: {unknown('argument', name, known)}")
    many: list[str] = []
    for each in parameters:
        given = each.name in arguments
        if each.kind is each.VAR_POSITIONAL:
            many = _names(arguments.pop(each.name, []), f"{where}: '{each.name}'")
        elif not given and each.default is each.empty:
            raise ConfigError(f"{where} needs '{each.name}'")
        elif given and each.annotation == "str" and not isinstance(arguments[each.name], str):
            raise ConfigError(f"{where}: '{each.name}' must be a text, got {arguments[each.name]!r}")
        elif given and each.annotation == "Names":
            _names(arguments[each.name], f"{where}: '{each.name}'")
        elif given and each.annotation == "int" and type(arguments[each.name]) is not int:
            raise ConfigError(f"{where}: '{each.name}' must be a whole number, got {arguments[each.name]!r}")
        elif given and each.annotation.startswith("float") and type(arguments[each.name]) not in (int, float):
            raise ConfigError(f"{where}: '{each.name}' must be a number, got {arguments[each.name]!r}{_ALONE}")
    # What stands before the names of a call that takes any number of them, such as the channel of `express`.
    order = [each.name for each in parameters]
    several = next((k for k, each in enumerate(parameters) if each.kind is each.VAR_POSITIONAL), 0)
    return [*(arguments.pop(name) for name in order[:several]), *many], arguments


def _with_pulse(arguments: dict[str, Any], where: str) -> dict[str, Any]:
    from .apparatus import Pulse

    keys = ("amplitude", "start", "stop")
    missing = [key for key in keys if key not in arguments]
    if missing:
        raise ConfigError(f"{where} needs '{missing[0]}'")
    rest = {name: value for name, value in arguments.items() if name not in (*keys, "force")}
    return {**rest, "pulse": Pulse(*(arguments[key] for key in keys), arguments.get("force", False))}


def _names(value: Any, where: str) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise ConfigError(f"{where} takes names, got {value!r}")
    return names


def parse_command(text: str) -> dict[str, Any]:
    """Parse an intervention as on the command line: "ablate AVB*", "clamp AVAL voltage=-20 start=500 stop=900".

    Args:
        text: the intervention, names, and key=value for everything else.

    Returns:
        The table of the intervention; see `apply`.

    Raises:
        ConfigError: for an unknown intervention or a word that is not an argument.
    """
    from .config import parse_setting
    from .worm import Worm

    if not isinstance(text, str):
        raise ConfigError(f"an intervention is a text such as 'ablate AVB*', not {shorten(repr(text))}")
    words = re.sub(r"\s*,\s*", ",", text).split()
    verb = words[0].replace("-", "_") if words else ""
    if verb not in VERBS:
        first = next((each for each in words if each in VERBS), None)
        if first:
            raise ConfigError(f"'{shorten(text)}': write the intervention first: '{first} ...'")
        raise ConfigError(f"'{shorten(text)}': {unknown('intervention', verb, VERBS)}")
    table: dict[str, Any] = {"verb": verb}
    plain = [word for word in words[1:] if "=" not in word]
    parameters = [each for each in inspect.signature(getattr(Worm, verb)).parameters.values() if each.name != "self"]
    for each in parameters:
        if each.kind is each.VAR_POSITIONAL:
            table[each.name], plain = plain, []
        elif each.kind is each.POSITIONAL_OR_KEYWORD and each.name != "pulse" and plain:
            table[each.name] = parse_setting(f"{each.name}={plain.pop(0)}")[1]
    if plain:
        raise ConfigError(f"'{shorten(text)}': unexpected word '{plain[0]}'; {_todo(words, parameters, table)}")
    for key, value in (parse_setting(word) for word in words[1:] if "=" in word):
        if table.get(key):
            raise ConfigError(f"'{shorten(text)}': '{key}' is given twice; keep one")
        table[key] = value
    return table


def _todo(words: list[str], parameters: list[inspect.Parameter], table: Mapping[str, Any]) -> str:
    """What to do about a word too many: it has no name, or lost it."""
    if any(each.startswith("=") or each.endswith("=") for each in words):
        return "write key=value, without spaces around ="
    named = ["amplitude" if each.name == "pulse" else each.name for each in parameters]
    left = next((each for each in named if each not in table), None)
    return f"write key=value, such as {left}=..." if left else "leave it out, or join names with commas"


def to_command(table: Mapping[str, Any]) -> str:
    """An intervention as text that `parse_command` reads."""
    words = [str(table.get("verb", ""))]
    for name, value in table.items():
        if isinstance(value, (list, tuple)) and not all(isinstance(each, str) for each in value):
            words.append(f"{name}=[{','.join(map(str, value))}]")
        elif isinstance(value, (list, tuple)):
            words += map(str, value)
        elif name != "verb":
            words.append(f"{name}={value}")
    return " ".join(words)


def described(tables: Iterable[Mapping[str, Any]]) -> str:
    """Several interventions as text, separated by semicolons."""
    return "; ".join(map(to_command, tables))
