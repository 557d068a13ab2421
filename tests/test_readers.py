"""Whatever bytes a reader meets, it reads them right or says why not; nothing else ever leaves it."""

from __future__ import annotations

import contextlib
import json
import tomllib

import numpy as np
import pandas as pd
import pytest
from synthetic import recording

import tianbao as tb
from tianbao.anatomy import connectome, read_own_cell
from tianbao.anatomy.own_wiring import read_edges
from tianbao.config import RunConfig, parse_setting, read_config
from tianbao.errors import TianbaoError
from tianbao.interventions import apply, parse_command, to_command
from tianbao.io.checkpoints import Checkpoints
from tianbao.io.wcon import read_wcon, write_wcon
from tianbao.loop.state import RunState
from tianbao.paths import data_root

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

EXAMPLES = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
FEWER = settings(EXAMPLES, max_examples=30)

SPECIAL = [
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-0.0",
    "0",
    "-1",
    "1e-320",
    "9" * 400,
    "9" * 5000,
    "1_0",
    "0x10",
    "\u0661",
    "\u00bd",
    "",
    " ",
    ",",
    "\t",
    "\n",
    "\r",
    "\0",
    '"',
    "'",
    "#",
    "[",
    "]",
    "{",
    "=",
    "\ufeff",
    "\u2028",
    "true",
    "null",
    "AVAL",
    "MDL08",
    "chemical",
    "gap",
    "nmj",
    "x" * 3000,
    "\\",
    "\x1b[31m",
    "2026-01-01",
    "*",
    "[!A]",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for the files of all examples."""
    return tmp_path_factory.mktemp("read")


@contextlib.contextmanager
def only_our_errors():
    """Lets an error of ours pass, if it is one that can be read; any other fails the test."""
    try:
        yield
    except TianbaoError as error:
        assert str(error)


@st.composite
def spoiled(draw, good: bytes) -> bytes:
    """A good file with some of it cut, doubled, moved or overwritten."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        if not content:
            break
        start = draw(st.integers(0, len(content) - 1))
        end = min(len(content), start + draw(st.integers(0, 12)))
        new = draw(
            st.one_of(st.sampled_from(SPECIAL).map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=8))
        )
        way = draw(st.sampled_from(["replace", "cut", "insert", "end"]))
        if way == "end":
            del content[start:]
        else:
            content[start : start if way == "insert" else end] = b"" if way == "cut" else new
    return bytes(content)


def anything(good: bytes):
    """Bytes of no meaning, and spoiled good ones."""
    return st.one_of(
        st.binary(max_size=200), spoiled(good), st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))
    )


CELL = b"""# a cell
1 1 0 -250 30 3 -1
2 3 0 -245 30 0.4 1
3 3 0 -230 30 0.3 2
4 3 5 -235 30 0.3 2
5 3 6 -220 31 0.3 4
"""
TABLE = b"""pre,post,kind,em_sections,sign
AVAL,VA1,chemical,3,+
AVBL,VB2,gap,1.5,
VA1,MDL08,nmj,7,+
RIML,AVAL,chemical,2,-
"""
CONFIG = (
    RunConfig()
    .updated({"interventions": [{"verb": "ablate", "neurons": ["AVB*"]}], "arena.pillars": [[1, 2, 0.1]]})
    .to_toml()
)


@EXAMPLES
@given(content=anything(CELL))
def test_a_cell_is_read_or_refused(content, place):
    path = place / "AVAL.swc"
    path.write_bytes(content)
    with only_our_errors():
        cell = read_own_cell(path)
        assert len(cell.xyz) == len(cell.radius) == len(cell.parent) and np.isfinite(cell.xyz).all()
        assert (cell.radius > 0).all() and (cell.parent[1:] < np.arange(1, len(cell.xyz))).all()


@EXAMPLES
@given(content=anything(TABLE))
def test_a_wiring_table_is_read_or_refused(content, place):
    path = place / "mine.csv"
    path.write_bytes(content)
    with only_our_errors():
        edges = read_edges(path)
        tables = (edges.chemical, edges.gap, edges.nmj)
        assert sum(map(len, tables)) > 0
        assert all((table.weight > 0).all() and np.isfinite(table.weight).all() for table in tables)


@FEWER
@given(
    weights=st.dictionaries(
        st.sampled_from([("AVAL", "VA1"), ("AVBL", "AVAL"), ("RIML", "VB10")]), st.floats(1e-3, 1e4), min_size=1
    )
)
def test_a_wiring_table_that_is_good_is_read_as_it_was_written(weights, place):
    path = place / "good.csv"
    frame = pd.DataFrame(
        [(*pair, "chemical", weight) for pair, weight in weights.items()],
        columns=["pre", "post", "kind", "em_sections"],
    )
    frame.to_csv(path, index=False)
    read = connectome(path).chemical.set_index(["pre", "post"]).em_sections.to_dict()
    assert read == pytest.approx(weights)


# What TOML can hold: trees of every type it has.
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.sampled_from(["AVAL", "agar", "native", "ablate", 0.5, 4.0, 20.0, 1, 48]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = [key for key, _ in RunConfig()._flat()]


@EXAMPLES
@given(
    changes=st.dictionaries(
        st.sampled_from([*KEYS, "worm", "clock", "medium", "material.x", "parameters.gap_gain", "sede"]),
        TREES,
        max_size=4,
    )
)
def test_any_change_of_a_configuration_is_taken_or_refused(changes):
    with only_our_errors():
        config = RunConfig().updated(changes)
        written = config.to_toml()
        again = RunConfig().updated(tomllib.loads(written))
        # As text, since a value that is not a number equals nothing.
        assert again.to_toml() == written


@EXAMPLES
@given(content=anything(CONFIG.encode()))
def test_a_configuration_is_read_or_refused(content, place):
    path = place / "case.toml"
    path.write_bytes(content)
    with only_our_errors():
        config = read_config(path)
        path.write_text(config.to_toml(), encoding="utf-8")
        assert read_config(path).to_toml() == config.to_toml()


@EXAMPLES
@given(text=st.one_of(st.text(max_size=30), st.tuples(st.sampled_from(KEYS), st.sampled_from(SPECIAL)).map("=".join)))
def test_a_setting_is_read_or_refused(text):
    with only_our_errors():
        RunConfig().updated(dict([parse_setting(text)]))


ARGUMENTS = (
    "neurons",
    "neuron",
    "start",
    "stop",
    "conductance",
    "voltage",
    "amplitude",
    "gene",
    "genes",
    "cells",
    "remaining",
    "factor",
    "pre",
    "post",
    "a",
    "b",
    "what",
    "seed",
    "channel",
    "pulse",
    "self",
    "verb2",
)


@pytest.fixture(scope="module")
def worm():
    return tb.Worm()


@EXAMPLES
@given(data=st.data())
def test_any_table_of_an_intervention_is_done_or_refused(data, worm):
    import copy

    from tianbao.interventions import VERBS

    verb = data.draw(st.sampled_from(VERBS))
    table = {"verb": verb, **data.draw(st.dictionaries(st.sampled_from(ARGUMENTS), TREES, max_size=4))}
    with only_our_errors():
        done = apply(copy.copy(worm), table)
        assert done is not None


@EXAMPLES
@given(
    words=st.lists(
        st.sampled_from(
            [*SPECIAL, "ablate", "clamp", "scale_synapses", "AVAL", "AVB*", "start=5", "voltage=-20", "0.5"]
        ),
        max_size=5,
    )
)
def test_any_words_of_an_intervention_are_understood_or_refused(words):
    with only_our_errors():
        table = parse_command(" ".join(words))
        assert parse_command(to_command(table)) == table


@pytest.fixture(scope="module")
def track(place):
    return write_wcon(recording(duration=400.0, points=11), place / "good.wcon").read_bytes()


@EXAMPLES
@given(data=st.data())
def test_a_track_is_read_or_refused(data, place, track):
    path = place / "animal.wcon"
    path.write_bytes(data.draw(anything(track)))
    with only_our_errors():
        read = read_wcon(path)
        read.check()
        read.gait()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@EXAMPLES
@given(data=st.data())
def test_a_track_with_anything_in_a_place_is_read_or_refused(data, place, track):
    document = json.loads(track)
    for _ in range(data.draw(st.integers(1, 3))):
        spot = data.draw(st.sampled_from(["units", "metadata", "record", "top", "@Tianbao"]))
        part = {
            "units": document.get("units"),
            "metadata": document.get("metadata"),
            "top": document,
            "record": document["data"][0] if isinstance(document.get("data"), list) and document["data"] else None,
            "@Tianbao": document.get("@Tianbao"),
        }[spot]
        if isinstance(part, dict) and part:
            part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JSON)
    path = place / "changed.wcon"
    path.write_text(json.dumps(document), encoding="utf-8")
    with only_our_errors():
        read = read_wcon(path)
        read.check()
        read.gait()
        str(read.medium), str(read.interventions), read.round_obstacles


STATE = RunState(
    {
        "config": RunConfig().to_toml(),
        "versions": {"neuron": "9"},
        "mechanisms": "a",
        "anatomy": {},
        "ticks": 3,
        "planned": 9,
        "wall_s": 1.5,
        "generator": {},
    },
    {"body/x": np.arange(12.0).reshape(3, 4), "brain/v": np.zeros(3)},
)


@EXAMPLES
@given(content=anything(STATE.to_bytes()))
def test_a_checkpoint_is_read_or_refused(content, place):
    path = place / "some.checkpoint"
    path.write_bytes(content)
    with only_our_errors():
        kept = Checkpoints(path).read()
        assert kept.facts == STATE.facts and all(
            np.array_equal(kept.arrays[name], each) for name, each in STATE.arrays.items()
        )


@FEWER
@given(facts=st.dictionaries(st.sampled_from(sorted(STATE.facts)), JSON, max_size=3))
def test_a_checkpoint_with_other_facts_is_read_or_refused(facts, place):
    with only_our_errors():
        RunState.from_bytes(RunState({**STATE.facts, **facts}, STATE.arrays).to_bytes(), "some.checkpoint")


@pytest.fixture(scope="module")
def results(place):
    return recording(duration=400.0, points=11).save(place / "good.h5").read_bytes()


@FEWER
@given(data=st.data())
def test_a_results_file_is_read_or_refused(data, place, results):
    path = place / "results.h5"
    path.write_bytes(data.draw(anything(results)))
    with only_our_errors():
        read = tb.open(path)
        assert read.worms[0].midline.shape == (len(read.time), 11, 3)


def test_every_committed_cell_is_read_as_a_cell_of_ones_own():
    for path in sorted((data_root() / "morphologies").glob("A*.swc"))[:20]:
        assert len(read_own_cell(path).xyz) > 1
