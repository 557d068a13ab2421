"""What people ask for that the model lacks, or calls otherwise: the sentence that answers, and the page that says more.

One table, topics.csv: `limit` for what is not modelled, `key` for what another key or intervention does.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("topics.csv")
KINDS = ("limit", "key")


@dataclass(frozen=True)
class Topic:
    """One row of the table.

    Attributes:
        words: by which it is asked for, in small letters and digits.
        kind: one of `KINDS`.
        answer: half a sentence.
        page: of the documentation, with the heading.
        phrase: that the page says about it.
    """

    words: tuple[str, ...]
    kind: str
    answer: str
    page: str
    phrase: str


@cache
def topics() -> tuple[Topic, ...]:
    """All rows."""
    with open(TABLE, newline="", encoding="utf-8") as lines:
        return tuple(Topic(**{**row, "words": tuple(row["words"].split())}) for row in csv.DictReader(lines))


def answer_to(name: str, kinds: tuple[str, ...] = KINDS) -> str | None:
    """The answer to a name that is a topic, or has one among its words; None otherwise.

    Args:
        name: such as "touch", "odor.start" or "n_worms".
        kinds: of topics that may answer.
    """
    by_word = {word: each for each in topics() if each.kind in kinds for word in each.words}
    for word in _words(name):
        if word in by_word:
            return f"{by_word[word].answer} (docs/{by_word[word].page})"
    return None


def _words(name: str) -> Iterator[str]:
    """The whole name without its punctuation first, then each of its words."""
    parts = [each for each in re.split(r"[^a-z0-9]+", name.lower()) if each]
    yield "".join(parts)
    yield from parts
