"""Cells and connection rules of an exported NetPyNE model: which cells are in it, and one rule per place and pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from .. import anatomy
from ..errors import AnatomyError, shorten


def chosen_cells(patterns: str | Sequence[str], order: Sequence[str], neurons_only: bool = False) -> list[str]:
    """Cells of a model that match any of some names or globs, in the order of the model.

    Args:
        patterns: names or globs of neurons and muscles, also separated by commas; none means all cells.
        order: all cells of the model.
        neurons_only: leaves the muscles out.

    Raises:
        AnatomyError: if a pattern matches nothing, or nothing is left.
    """
    muscles = set(anatomy.muscles().index)
    words = [patterns] if isinstance(patterns, str) else list(patterns)
    given = [each.strip() for word in words for each in str(word).split(",") if each.strip()]
    found = {name for each in given for name in _matching(each)} if words else set(order)
    chosen = [name for name in order if name in found and not (neurons_only and name in muscles)]
    if not chosen:
        raise AnatomyError(f"no cell is left of '{shorten(patterns)}': give neurons or muscles, such as 'AV*'")
    return chosen


def _matching(pattern: str) -> list[str]:
    """Neurons and muscles that a pattern matches; the sentence about neurons if there are none."""
    found, refused = [], []
    for match in (anatomy.match_neurons, anatomy.match_muscles):
        try:
            found += match(pattern)
        except AnatomyError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return found


def leave_out(params, order: Sequence[str], chosen: Sequence[str]) -> dict[str, int]:
    """Remove all cells but the chosen ones, and what belongs to the others, from NetPyNE's parameters.

    Args:
        params: `netParams` whose rules list pairs of cells in `order`.
        order: all cells, as the rules number them.
        chosen: cells that stay, in the same order.

    Returns:
        What was left out: number of cells, connections, stimuli and receptors.
    """
    kept, numbers = set(chosen), {name: number for number, name in enumerate(chosen)}
    before = {"cells": len(params.popParams), "connections": _connections(params), "stimuli": _stimuli(params)}
    before["receptors"] = _receptors(params)
    for table in (params.popParams, params.cellParams):
        for name in [each for each in table if each not in kept]:
            del table[name]
    for label, rule in list(params.connParams.items()):
        pairs = [(order[pre], order[post]) for pre, post in rule["connList"]]
        rows = [row for row, pair in enumerate(pairs) if kept.issuperset(pair)]
        if not rows:
            del params.connParams[label]
            continue
        rule["connList"] = [[numbers[name] for name in pairs[row]] for row in rows]
        for key in ("weight", "sec", "loc", "preSecs", "preLocs"):
            rule[key] = [rule[key][row] for row in rows]
        rule["preConds"] = rule["postConds"] = {"pop": list(chosen)}
    for label, target in list(params.stimTargetParams.items()):
        if not kept.issuperset(target["conds"]["pop"]):
            del params.stimTargetParams[label]
    _drop_unused(params.stimSourceParams, (each["source"] for each in params.stimTargetParams.values()))
    _drop_unused(params.synMechParams, (each["synMech"] for each in params.connParams.values()))
    after = {"cells": len(params.popParams), "connections": _connections(params), "stimuli": _stimuli(params)}
    after["receptors"] = _receptors(params)
    return {what: before[what] - after[what] for what in before}


def _drop_unused(table: dict[str, Any], used: Iterable[str]) -> None:
    names = set(used)
    for label in [each for each in table if each not in names]:
        del table[label]


def _connections(params) -> int:
    return sum(len(rule["connList"]) for rule in params.connParams.values())


def _stimuli(params) -> int:
    return len(params.stimTargetParams)


def _receptors(params) -> int:
    sections = (section for cell in params.cellParams.values() for section in cell["secs"].values())
    return sum(len(section.get("pointps", {})) for section in sections)


def rule_per_pair(rules, order: Sequence[str]) -> dict[str, dict]:
    """Rules that lead from one place of one cell to one other cell, which is all that NetPyNE's validator knows.

    Their names begin with "pre>post", such as "AVAL>VA6 synapse_excitatory".

    Args:
        rules: connection rules with lists of places.
        order: cells, as the rules number them.
    """
    split: dict[str, dict] = {}
    for label, rule in rules.items():
        groups: dict[tuple, list[int]] = {}
        for row, ((pre, post), section, loc) in enumerate(
            zip(rule["connList"], rule["preSecs"], rule["preLocs"], strict=True)
        ):
            groups.setdefault((order[pre], order[post], section, loc), []).append(row)
        numbers: dict[str, count] = {}
        for (pre, post, section, loc), rows in groups.items():
            name = f"{pre}>{post} {label}"
            number = next(numbers.setdefault(name, count(1)))
            split[name if number == 1 else f"{name} {number}"] = {
                "preConds": {"pop": [pre]},
                "postConds": {"pop": [post]},
                "connList": [[0, 0] for _ in rows],
                "synMech": rule["synMech"],
                **{key: [rule[key][row] for row in rows] for key in ("weight", "sec", "loc")},
                "preSec": section,
                "preLoc": loc,
            }
    return split
