"""Seeded mutations of the files of a sweep: plan.json, its description, and the summaries that make its table."""

from __future__ import annotations

import copy
import json
import random

ODD = (
    None, True, -1, 0, 10**30, 2**70, -(2**63), 1e308, 5e-324, float("nan"), float("inf"), "", "x", "../../victim",
    "/etc/passwd", "a\0b", "\ud800", "\x1b[2J", "=1+1", "ö" * 300, [], [[]], [1, "a"], {}, {"a": {}}, ["x"] * 1000,
    "os:system", "nan", {"from": 1, "to": 1e9, "steps": 10**9}, {"from": float("nan"), "to": 1, "steps": 3},
)  # fmt: skip


def places(value, path=()):
    """Every place in nested tables and lists, as paths of keys."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


def mutated(content, rng: random.Random):
    """A copy with one to three places removed, replaced, doubled, renamed, exchanged or nested deeply."""
    content = copy.deepcopy(content)
    for _ in range(rng.randint(1, 3)):
        found = [path for path in places(content) if path]
        if not found:
            break
        path = rng.choice(found)
        parent = content
        for key in path[:-1]:
            parent = parent[key]
        key, how = path[-1], rng.randrange(6)
        if how == 0:
            del parent[key]
        elif how == 1 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif how == 2 and isinstance(parent, dict):
            parent[f"{key}x"] = parent.pop(key)
        elif how == 3:
            deep = parent[key]
            for _ in range(rng.choice((1, 30, 400))):
                deep = {"a": deep} if rng.random() < 0.5 else [deep]
            parent[key] = deep
        elif how == 4 and isinstance(parent[key], str) and parent[key]:
            text = parent[key]
            where = rng.randrange(len(text))
            parent[key] = text[:where] + rng.choice("/.\0'\"\n=0") + text[where + 1 :]
        else:
            parent[key] = copy.deepcopy(rng.choice(ODD))
    return content


def mutated_text(text: str, rng: random.Random) -> str:
    """A text with one to three characters changed, a piece cut out, or lines exchanged."""
    for _ in range(rng.randint(1, 3)):
        how, where = rng.randrange(4), rng.randrange(max(1, len(text)))
        if how == 0:
            text = text[:where] + rng.choice("0123456789[]{}=.\"'#\n\0é-e_,") + text[where + 1 :]
        elif how == 1:
            text = text[:where] + text[where + rng.randrange(1, 20) :]
        elif how == 2:
            lines = text.splitlines(keepends=True)
            rng.shuffle(lines)
            text = "".join(lines)
        else:
            text = text[:where] + rng.choice(("9" * 40, "nan", "inf", "../..", "{from = 1, to = 2, steps = 9999999}",
                                              "[" * 400, "a." * 400, '"\\u0000"')) + text[where:]  # fmt: skip
    return text


def as_json(content, rng: random.Random) -> str:
    """A mutated plan as text: damaged content, or damaged text."""
    if rng.random() < 0.3:
        return mutated_text(json.dumps(content), rng)
    return json.dumps(mutated(content, rng))
