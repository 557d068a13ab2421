"""Reads assays: one TOML file each, in which the set-up is the configuration of a run.

A file holds the keys of a configuration (`duration`, `[worm]`, `[[fields]]`, ...), which all conditions share, and
tables of its own: `[assay]` says what is asked and of how many worms, `[placing]` where they begin, `[[conditions]]`
what differs between groups of worms, `[[measures]]` what is measured, the animal's value and what a control must show,
`[verdict]` when the figure is reproduced. Everything is checked when a file is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..behaviour.measures import measure_of
from ..config import RunConfig, read_toml
from ..errors import ConfigError, TianbaoError, shorten, unknown
from ..experiment import simulation
from ..rows import whole
from ..sensing import receptors, table_senses
from ..typed import typed
from .assay import CERTAINTIES, CRITERIA, EXPECTED, Animal, Assay, Control, Placing, Setup, Verdict, Wanted

__all__ = ["FOLDER", "assays", "read_assay"]

FOLDER = Path(__file__).with_name("assays")
"""The assays that come with Tianbao."""
_OWN = ("assay", "placing", "conditions", "measures", "verdict")
_MOST_WORMS = 1000


def assays(names: Sequence[str] = ()) -> list[Path]:
    """Files of assays.

    Args:
        names: of assays, or paths of files of your own; every assay if empty.

    Raises:
        ConfigError: for an unknown name.
    """
    known = {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}
    found = []
    for name in names or known:
        path = known.get(name) or (Path(name) if str(name).endswith(".toml") else None)
        if path is None:
            raise ConfigError(unknown("assay", str(name), known))
        found.append(path)
    return found


def read_assay(path: str | Path, changes: Mapping[str, Any] | None = None) -> Assay:
    """Read the file of an assay.

    Args:
        path: of a TOML file.
        changes: of the configuration that its conditions share, by dotted keys; what a condition says itself stays.

    Raises:
        ConfigError, AnatomyError: for an unknown key, measure, condition or criterion, a wrong unit, a missing
            control, or a set-up that is not possible; one sentence that names the place.
    """
    path = Path(path)
    table, where = read_toml(path), path.name
    own = {name: table.pop(name, None) for name in _OWN}
    for given, told in ((table, "give their number as assay.worms"), (changes or {}, "give their number as --worms")):
        if "worms" in given:
            raise ConfigError(f"{where}: an assay places its worms itself; {told}")
    about, setup = _about(own["assay"], own["placing"], where)
    base = RunConfig().updated(table, where).updated(changes or {}, f"{where} with --set")
    conditions, signals = _conditions(own["conditions"], base, where)
    measures = _measures(own["measures"], tuple(conditions), where)
    if setup.stimulus == 0.0 and (late := [each.name for each in measures if each.measure.stimulus]):
        raise ConfigError(f"{where}: '{late[0]}' counts from a stimulus; set assay.stimulus to its start [ms]")
    rule = _rule(own["verdict"], measures, where)
    _check(setup, conditions, where)
    if signals and (setup.together != 1 or setup.spread):
        todo = "write together = 1 and leave spread out"
        raise ConfigError(f"{where}: a yoked worm runs alone and at the times of its partner; {todo}")
    sources = {name: conditions[source] for name, source in signals.items()}
    return Assay(
        path.stem, **about, setup=setup, conditions=conditions, measures=measures, rule=rule, signals=sources
    )  # fmt: skip


def _table(value: Any, name: str, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: [{name}] is missing" if value is None else f"{where}: '{name}' must be a table")
    return dict(value)


def _tables(value: Any, name: str, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value or not all(isinstance(each, Mapping) for each in value):
        raise ConfigError(f"{where}: [[{name}]] is missing; an assay needs at least one")
    return [dict(each) for each in value]


def _filled(kind: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values of a section, each of the kind of its default."""
    made = kind()
    known = {each.name: getattr(made, each.name) for each in dataclasses.fields(kind)}
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: {unknown('key', str(key), known)}")
    return {key: typed(key, value, known[key], where) for key, value in table.items()}


def _text(table: dict[str, Any], key: str, where: str, needed: bool = True) -> str:
    value = typed(key, table.pop(key, ""), "", where)
    if needed and not value.strip():
        raise ConfigError(f"{where}: '{key}' is missing or empty")
    return value


def _about(given: Any, placing: Any, where: str) -> tuple[dict[str, str], Setup]:
    table = _table(given, "assay", where)
    texts = {key: _text(table, key, f"{where}: [assay]") for key in ("title", "question", "source", "figure")}
    texts["limits"] = _text(table, "limits", f"{where}: [assay]", needed=False)
    if "placing" in table:
        raise ConfigError(f"{where}: [placing] is a table of its own, outside of [assay]")
    at = {} if placing is None else _table(placing, "placing", where)
    place = Placing(**_filled(Placing, at, f"{where}: [placing]"))
    setup = Setup(**_filled(Setup, table, f"{where}: [assay]"), placing=place)
    for name in ("worms", "together"):
        whole(getattr(setup, name), f"{where}: [assay]", name, low=1, high=_MOST_WORMS)
    for name in ("settle", "stimulus", "spread"):
        if getattr(setup, name) < 0.0:
            raise ConfigError(f"{where}: [assay]: '{name}' = {getattr(setup, name):g} ms must not be negative")
    return texts, setup


def _conditions(given: Any, base: RunConfig, where: str) -> tuple[dict[str, RunConfig], dict[str, str]]:
    """Configuration of each condition, and the condition of which the signals come to those that are yoked."""
    found: dict[str, RunConfig] = {}
    signals: dict[str, str] = {}
    for number, table in enumerate(_tables(given, "conditions", where), start=1):
        name = _text(table, "name", f"{where}: condition {number}")
        here = f"{where}: condition '{shorten(name)}'"
        if name in found:
            raise ConfigError(f"{here} is there twice; give another name")
        if "worms" in table:
            raise ConfigError(f"{here}: an assay places its worms itself; leave out 'worms'")
        source = _text(table, "yoked", here, needed=False)
        if source and table.get("fields"):
            raise ConfigError(f"{here} is yoked and has fields of its own; leave one of them out")
        changed = base.updated(table, here)
        if source:
            signals[name] = source
            _check_source(source, found, signals, changed, here)
        if "interventions" in table:
            # What is done to the worms of all conditions comes first, as for worms of one run.
            changed = dataclasses.replace(changed, interventions=(*base.interventions, *changed.interventions))
        found[name] = changed
    return found, signals


def _check_source(
    source: str, found: Mapping[str, RunConfig], signals: Mapping[str, str], config: RunConfig, here: str
) -> None:
    """Refuse a condition that cannot give its signals to another one."""
    to = f"{here} is yoked to '{shorten(source)}'"
    if source not in found or source in signals:
        raise ConfigError(f"{to}, which must be a condition above it that is not yoked itself")
    sensed = {row.field for sense in table_senses() for row in receptors(sense)}
    if found[source].worm.amines == "off":
        sensed -= {"food"}
    if not any(each.get("name") in sensed for each in found[source].fields):
        raise ConfigError(f"{to}, where there is no field that a worm senses; give it one")
    if config.duration > found[source].duration:
        raise ConfigError(f"{to}, which ends sooner, after {found[source].duration:g} ms; make this one as short")


def _measures(given: Any, conditions: tuple[str, ...], where: str) -> tuple[Wanted, ...]:
    found = [_wanted(each, conditions, f"{where}: measure {k}") for k, each in
             enumerate(_tables(given, "measures", where), start=1)]  # fmt: skip
    names = [each.name for each in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{where}: two measures are named '{shorten(twice[0])}'; give another name")
    if not any(each.controls for each in found):
        raise ConfigError(f"{where}: no measure has a control; add [[measures.controls]] with condition and expect")
    return tuple(found)


def _wanted(table: dict[str, Any], conditions: tuple[str, ...], where: str) -> Wanted:
    name, kind = _text(table, "name", where), _text(table, "measure", where)
    where = f"{where} '{shorten(name)}'"
    measure = measure_of(kind, where)
    unit = _text(table, "unit", where)
    if unit != measure.unit:
        raise ConfigError(f"{where}: '{kind}' is in {measure.unit}, not in {shorten(unit)}; give its values in that")
    arguments = measure.arguments(_table(table.pop("arguments", {}), "arguments", where), where)
    condition = _condition(table.pop("condition", conditions[0]), conditions, where)
    animal, neutral = table.pop("animal", None), table.pop("neutral", None)
    controls = table.pop("controls", [])
    if table:
        known = ("name", "measure", "unit", "arguments", "condition", "animal", "neutral", "controls")
        raise ConfigError(f"{where}: {unknown('key', next(iter(table)), known)}")
    return Wanted(
        name, measure, f"{kind} {sorted(arguments.items())}" if arguments else kind, arguments, condition,
        None if animal is None else _animal(_table(animal, "animal", where), f"{where}: animal"),
        None if neutral is None else typed("neutral", neutral, 0.0, where),
        tuple(_control(each, conditions, f"{where}: control") for each in controls),
    )  # fmt: skip


def _condition(name: Any, conditions: tuple[str, ...], where: str) -> str:
    if name not in conditions:
        raise ConfigError(f"{where}: {unknown('condition', str(name), conditions)}")
    return name


def _animal(table: dict[str, Any], where: str) -> Animal:
    animal = Animal(**_filled(Animal, table, where))
    if not animal.source.strip():
        raise ConfigError(f"{where}: 'source' is missing; say where the value is from, or write 'assumed'")
    if animal.certainty not in CERTAINTIES:
        raise ConfigError(f"{where}: {unknown('certainty', animal.certainty, CERTAINTIES)}")
    if not all(isinstance(each, Sequence) and len(each) == 2 for each in animal.points):
        raise ConfigError(f"{where}: 'points' must be pairs [x, y]")
    if not animal.low <= animal.high or animal.value < animal.low or animal.value > animal.high:
        span = f"low {animal.low:g} and high {animal.high:g}"
        raise ConfigError(f"{where}: value {animal.value:g} must lie between {span}")
    return animal


def _control(table: Any, conditions: tuple[str, ...], where: str) -> Control:
    given = _table(table, "controls", where)
    if set(given) != {"condition", "expect"}:
        raise ConfigError(f"{where} needs 'condition' and 'expect' and nothing else, got {shorten(sorted(given))}")
    if given["expect"] not in EXPECTED:
        raise ConfigError(f"{where}: {unknown('expectation', str(given['expect']), EXPECTED)}")
    return Control(_condition(given["condition"], conditions, where), given["expect"])


def _rule(given: Any, measures: tuple[Wanted, ...], where: str) -> Verdict:
    table, rule = _table(given, "verdict", where), {}
    for key in ("reproduced", "partial"):
        criteria = table.pop(key, None)
        if not isinstance(criteria, list) or not criteria:
            raise ConfigError(f"{where}: [verdict]: '{key}' must be a list of {', '.join(CRITERIA)}")
        for each in criteria:
            if each not in CRITERIA:
                raise ConfigError(f"{where}: [verdict]: {unknown('criterion', str(each), CRITERIA)}")
        rule[key] = tuple(criteria)
    if table:
        raise ConfigError(f"{where}: [verdict]: {unknown('key', next(iter(table)), rule)}")
    used = {*rule["reproduced"], *rule["partial"]}
    if used & {"range", "some range"} and not any(each.animal and each.animal.bounded for each in measures):
        raise ConfigError(f"{where}: [verdict] rests on a range, but no measure has an animal with low or high")
    if "sign" in used and not any(each.signed for each in measures):
        raise ConfigError(f"{where}: [verdict] rests on a sign, but no measure has 'neutral' and an animal's value")
    return Verdict(**rule)


def _check(setup: Setup, conditions: Mapping[str, RunConfig], where: str) -> None:
    """Everything that a run would refuse is refused here, before hours of computing."""
    for name, config in conditions.items():
        if 0.0 < setup.stimulus < setup.settle:
            times = f"stimulus {setup.stimulus:g} ms is before settle {setup.settle:g} ms"
            raise ConfigError(f"{where}: [assay]: {times}; what precedes a stimulus must count")
        last = max(setup.settle, setup.stimulus) + setup.spread
        if last >= config.duration:
            raise ConfigError(
                f"{where}: condition '{shorten(name)}': duration {config.duration:g} ms ends before settle and "
                f"stimulus with their spread, {last:g} ms; make it longer"
            )
        try:
            simulation(config, progress=False)
        except TianbaoError as error:
            raise type(error)(f"{where}: condition '{shorten(name)}': {error}") from error
