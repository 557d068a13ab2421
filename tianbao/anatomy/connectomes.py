"""Connectomes by name or from a user's file: chemical synapses, gap junctions, neuromuscular junctions.

Class gains are per EM section, the unit of Cook et al. 2019. A table that counts synapses is converted to that unit by
two factors, one for chemical synapses and one for gap junctions, chosen so that the pairs present in both tables have
the same total.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pandas as pd

from ..errors import AnatomyError, unknown
from ..paths import data_root
from . import tables
from .own_wiring import EdgeTables, nmj_signs, read_edges

STANDARD = "cook2019"

_JOIN, _NMJ_OF = "+", "@"
_COUNTED = "synapses"


@dataclass(frozen=True, eq=False)
class Connectome:
    """The wiring of one animal, in EM sections of Cook et al. 2019.

    Attributes:
        name: from which it can be loaded again: names or paths joined by "+", then "@" and the source of the
            neuromuscular junctions.
        chemical: pre, post, em_sections, sign, sign_source, sign_predicted.
        gap: a, b, em_sections.
        nmj: pre, muscle, em_sections, sign.
        nmj_from: the connectome that the neuromuscular junctions are taken from.
        chemical_factor, gap_factor: EM sections per count of the source; 1 if it counts EM sections.
        digest: SHA-256 of the user's file or files, empty for a built-in connectome.

    Limitations: neurons that were not reconstructed have no connections. Except for cook2019, synapses are counted, not
        measured: the size of a contact is lost.
    """

    name: str
    chemical: pd.DataFrame = field(repr=False)
    gap: pd.DataFrame = field(repr=False)
    nmj: pd.DataFrame = field(repr=False)
    nmj_from: str
    chemical_factor: float = 1.0
    gap_factor: float = 1.0
    digest: str = ""

    @property
    def neurons(self) -> list[str]:
        """Sorted neurons that have a chemical synapse or a gap junction."""
        columns = (self.chemical.pre, self.chemical.post, self.gap.a, self.gap.b)
        return sorted(set().union(*columns))

    @property
    def provenance(self) -> str:
        """One line for the results: name, digest of a file, factors, origin of the neuromuscular junctions."""
        words = [self.name]
        if self.digest:
            words.append(f"sha256 {self.digest}")
        words.append(f"EM sections per count: {self.chemical_factor:.6g} chemical, {self.gap_factor:.6g} gap")
        return "; ".join([*words, f"neuromuscular junctions of {self.nmj_from}"])


def connectome_registry() -> pd.DataFrame:
    """The built-in connectomes, indexed by name.

    Columns: animal, counted (what one count is), neurons, chemical_pairs, chemical_count, gap_pairs, gap_count,
    nmj_pairs, nmj_from (whose neuromuscular junctions are used by default), chemical_common and gap_common (pairs
    shared with cook2019), chemical_factor and gap_factor (EM sections per count), source.

    Source: computed by the build from the tables themselves.
    """
    return _registry().copy()


def connectome(source: str | Path | Connectome = STANDARD, *, nmj: str | Path | None = None) -> Connectome:
    """A connectome by name or from a file.

    Args:
        source: "cook2019", "white1986", "varshney2011", "witvliet2021" (data set 8), "witvliet2021_7"; the path of a
            CSV (see `own_wiring`); or two or more joined by "+": "witvliet2021+cook2019" takes from the second every
            pair with at least one neuron that the first lacks. A final "@mine.csv" gives `nmj` in the same text.
        nmj: name or path of the table whose neuromuscular junctions are used. By default those in the file if it has
            any, otherwise those of cook2019: no other data set counts them on all muscles.

    Raises:
        AnatomyError: for an unknown name, a malformed file, or an `nmj` table without neuromuscular junctions.
    """
    if isinstance(source, Connectome):
        chosen = source
    elif not isinstance(source, (str, Path)):
        raise AnatomyError(f"a connectome is a name or the path of a CSV, not {source!r}")
    else:
        (first, *others), own = _parts(source)
        nmj = own if nmj is None else nmj
        chosen = _one(first)
        for each in others:
            chosen = _completed(chosen, _one(each))
        chosen = replace(chosen, name=_JOIN.join((first, *others)))
    if nmj is None:
        return chosen
    table = _own_nmj(nmj)
    if table.empty:
        raise AnatomyError(f"'{nmj}' has no neuromuscular junctions by muscle: use those of {STANDARD}")
    name = f"{chosen.name.split(_NMJ_OF)[0]}{_NMJ_OF}{nmj}"
    digest = _joined(chosen.digest, read_edges(nmj).digest if _is_file(str(nmj)) else "")
    return replace(chosen, name=name, nmj=table, nmj_from=str(nmj), digest=digest)


def common_factor(mine: pd.DataFrame, standard: pd.DataFrame, pair: list[str]) -> float:
    """EM sections per count: the factor that gives the pairs shared by both tables the same total.

    Args:
        mine: `pair` and weight.
        standard: `pair` and em_sections.
        pair: columns with the partners.

    Raises:
        AnatomyError: when the tables share no pair.
    """
    shared = mine.merge(standard, on=pair, how="inner")
    if shared.empty:
        raise AnatomyError(
            f"shares no pair with {STANDARD}: synapses cannot be converted to EM sections; name the column em_sections"
        )
    return float(shared.em_sections.sum() / shared.weight.sum())


def _parts(source: str | Path) -> tuple[list[str], str | None]:
    """The connectomes joined in a name, and the source of the neuromuscular junctions given in it."""
    text, nmj = str(source), None
    if isinstance(source, Path) or _is_one(text):
        return [text], None
    if _NMJ_OF in text:
        text, nmj = (part.strip() for part in text.rsplit(_NMJ_OF, 1))
    return [text] if _is_one(text) else [part.strip() for part in text.split(_JOIN)], nmj


def _is_one(text: str) -> bool:
    return text in _registry().index or _is_file(text)


def _one(source: str) -> Connectome:
    if source in _registry().index:
        return _named(source)
    path = Path(source)
    if _is_file(source) or path.suffix or len(path.parts) > 1:
        return _from_file(path)
    raise AnatomyError(f"{unknown('connectome', source, _registry().index)}; or give the path of a CSV")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # longer than a path can be
        return False


@cache
def _registry() -> pd.DataFrame:
    path = data_root() / "connectome" / "connectomes.csv"
    if not path.is_file():
        raise AnatomyError(f"no table {path}: build the data with `python -m tianbao.anatomy.build`")
    return pd.read_csv(path).set_index("name")


@cache
def _published(name: str) -> EdgeTables:
    return read_edges(data_root() / "connectome" / f"{name}.csv")


def _named(name: str) -> Connectome:
    if name == STANDARD:
        return _standard()
    row = _registry().loc[name]
    return _scaled(name, _published(name), float(row.chemical_factor), float(row.gap_factor))


def _standard() -> Connectome:
    chemical = tables.chemical()
    chemical = chemical[chemical.pre != chemical.post].reset_index(drop=True)
    return Connectome(STANDARD, chemical, tables.gap(), _standard_nmj(), STANDARD)


def _standard_nmj() -> pd.DataFrame:
    nmj = tables.nmj()
    return nmj.assign(sign=nmj.pre.map(nmj_signs()))


def _from_file(path: Path) -> Connectome:
    edges = read_edges(path)
    factors = [1.0, 1.0]
    if edges.unit == _COUNTED:
        standard = _standard()
        try:
            factors = [
                1.0 if mine.empty else common_factor(mine, theirs, pair)
                for mine, theirs, pair in (
                    (edges.chemical, standard.chemical, ["pre", "post"]),
                    (edges.gap, standard.gap, ["a", "b"]),
                )
            ]
        except AnatomyError as error:
            raise AnatomyError(f"{path.name} {error}") from error
    mine = _scaled(str(path), edges, *factors)
    mine = replace(mine, digest=edges.digest)
    return mine if edges.nmj.empty else replace(mine, nmj=_unscaled(edges.nmj), nmj_from=str(path))


def _scaled(name: str, edges: EdgeTables, chemical_factor: float, gap_factor: float) -> Connectome:
    return Connectome(
        name,
        _in_sections(edges.chemical, chemical_factor),
        _in_sections(edges.gap, gap_factor),
        _standard_nmj(),
        STANDARD,
        chemical_factor,
        gap_factor,
    )


def _in_sections(table: pd.DataFrame, factor: float) -> pd.DataFrame:
    return table.assign(weight=table.weight * factor).rename(columns={"weight": "em_sections"})


def _unscaled(nmj: pd.DataFrame) -> pd.DataFrame:
    """Neuromuscular junctions are used as shares within a muscle row, so their unit cancels."""
    return _in_sections(nmj, 1.0)


def _own_nmj(source: str | Path) -> pd.DataFrame:
    if str(source) == STANDARD:
        return _standard_nmj()
    if str(source) in _registry().index:
        return _unscaled(_published(str(source)).nmj)
    if _is_file(str(source)):
        return _unscaled(read_edges(source).nmj)
    raise AnatomyError(f"{unknown('connectome', str(source), _registry().index)}; or give the path of a CSV")


def _completed(first: Connectome, second: Connectome) -> Connectome:
    """The first table, plus the rows of the second that involve neurons missing from the first."""
    known = set(first.neurons)
    chemical, gap = (
        pd.concat([mine, _beyond(theirs, columns, known)[mine.columns]]).sort_values(columns).reset_index(drop=True)
        for mine, theirs, columns in (
            (first.chemical, second.chemical, ["pre", "post"]),
            (first.gap, second.gap, ["a", "b"]),
        )
    )
    return replace(first, chemical=chemical, gap=gap, digest=_joined(first.digest, second.digest))


def _joined(*digests: str) -> str:
    return " ".join(each for each in digests if each)


def _beyond(table: pd.DataFrame, columns: list[str], known: set[str]) -> pd.DataFrame:
    return table[~table[columns].isin(known).all(axis=1)]
