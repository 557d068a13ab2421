"""Level behaviour: assays of published figures with worms in their arenas, from files to verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..io.files import claimed, prepare_folder
from ..rows import whole
from .assay_file import assays, read_assay
from .assay_runs import Kept, run_groups
from .assay_verdict import Outcome, groups_of, judged

__all__ = ["LEVEL", "ROWS", "run"]

LEVEL = "behaviour"
ROWS = "rows.jsonl"
"""File of the rows of all worms in the folder of results."""
_MOST = 1000


def run(
    names: Sequence[str], folder: str | Path, *, worms: int | None = None, seed: int | None = None,
    changes: Mapping[str, Any] | None = None, processes: int = 2, progress: bool = True,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:  # fmt: skip
    """Run assays and judge them; called again with the same folder, it goes on where it was broken off.

    Every file is read and checked before the first worm is run.

    Args:
        names: of assays or paths of files; every assay if empty.
        folder: for the rows of all worms; created if necessary.
        worms: in each condition; as many as each assay says if None. Rows of fewer worms are used for more.
        seed: in place of that of each assay.
        changes: of every condition that does not say otherwise itself, by dotted keys, such as
            {"worm.decision": {"plateau_ava": 2.0}}.
        processes: runs at a time.
        progress: show time left.
        on_outcome: called with each assay when it is judged.

    Returns:
        One outcome per assay.

    Raises:
        ConfigError, AnatomyError: for an unknown assay, or what `read_assay` refuses.
        OutputError: if the folder cannot be written to, or another run is writing into it.
    """
    for name, value in (("--worms", worms), ("--processes", processes)):
        if value is not None:
            whole(value, "validate", name, low=1, high=_MOST)
    if seed is not None:
        whole(seed, "validate", "--seed")
        if "seed" in (changes or {}):
            raise ConfigError("validate: the seed is given by --seed and by --set; leave one of them out")
    chosen = [read_assay(path, changes) for path in dict.fromkeys(assays(names))]
    folder, outcomes = prepare_folder(folder), []
    with claimed(folder):
        kept = Kept(folder / ROWS)
        for number, assay in enumerate(chosen, start=1):
            label = f"{assay.name}, assay {number} of {len(chosen)}"
            rows = run_groups(groups_of(assay, worms, seed), kept, processes=processes, label=label, progress=progress)
            outcomes.append(judged(assay, rows))
            if on_outcome is not None:
                on_outcome(outcomes[-1])
    return outcomes
