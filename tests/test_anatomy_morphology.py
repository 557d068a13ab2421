"""Tracings are read whole, cut as counted, and refused with file and line when malformed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tianbao import anatomy
from tianbao.errors import AnatomyError

SOMA_COMPARTMENTS = 2


@pytest.fixture(scope="module")
def tracings():
    return {name: anatomy.morphology(name) for name in anatomy.neurons().index}


def test_compartment_counts_match_the_published_model(tracings):
    with open(Path(__file__).parent / "data" / "compartments.csv", newline="") as lines:
        expected = {row["name"]: int(row["compartments"]) for row in csv.DictReader(lines)}
    counted = {
        name: SOMA_COMPARTMENTS + sum(len(path.points) for path in each.sections[1:])
        for name, each in tracings.items()
    }
    assert counted == expected
    assert sum(counted.values()) == 15910
    assert (min(counted.values()), max(counted.values())) == (10, 2313)
    assert (counted["VA12"], counted["PVDL"]) == (10, 2313)


def test_tracings_hold_13869_points_and_2041_sections(tracings):
    assert sum(len(each.xyz) for each in tracings.values()) == 13869
    assert sum(len(each.sections) for each in tracings.values()) == 2041


def test_sections_are_a_tree_that_uses_every_segment_once(tracings):
    for each in tracings.values():
        assert each.sections[0].name == "soma" and each.sections[0].points == (0,)
        own = [point for path in each.sections[1:] for point in path.points[1:]]
        assert sorted(own) == list(range(1, len(each.xyz)))
        for k, path in enumerate(each.sections[1:], start=1):
            assert 0 <= path.parent < k
            assert path.points[0] == each.sections[path.parent].points[-1]
            assert (each.parent[list(path.points[1:])] == path.points[:-1]).all()


def test_total_neurite_length_matches_the_source(tracings):
    total = sum(
        np.linalg.norm(each.xyz[1:] - each.xyz[each.parent[1:]], axis=1).sum() for each in tracings.values()
    )
    assert total == pytest.approx(93881, rel=1e-3)


def test_somata_are_spheres_of_the_traced_size(tracings):
    diameters = [2.0 * each.radius[0] for each in tracings.values()]
    assert min(diameters) == pytest.approx(1.53, abs=0.01)
    assert max(diameters) == pytest.approx(5.66, abs=0.01)


def test_resampling_leaves_no_gap_longer_than_asked():
    cell = anatomy.morphology("AVAL")
    cloud = cell.resampled(1.0)
    spacing = [np.min(np.linalg.norm(np.delete(cloud, k, 0) - cloud[k], axis=1)) for k in range(0, 500, 25)]
    assert max(spacing) <= 1.0


def test_both_spellings_give_the_same_morphology():
    assert anatomy.morphology("AS01") is anatomy.morphology("AS1")


def test_points_cannot_be_overwritten_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        anatomy.morphology("AVAL").xyz[0] = 0.0


GOOD = ["1 1 0 0 0 2.0 -1", "2 2 0 5 0 0.3 1", "3 2 0 9 0 0.3 2"]
BROKEN = {
    "line 2: 'x 2 0 5 0 0.3 1' is not": [GOOD[0], "x 2 0 5 0 0.3 1"],
    "line 2: '2 2 0 5 0.3 1' is not": [GOOD[0], "2 2 0 5 0.3 1"],
    "line 2: point 2 has a coordinate or radius that is not a number": [GOOD[0], "2 2 0 nan 0 0.3 1"],
    "line 2: point 2 has radius 0 um": [GOOD[0], "2 2 0 5 0 0 1"],
    "line 2: point 1 appears a second time": [GOOD[0], GOOD[0]],
    "line 3: point 3 has no parent 7": [*GOOD[:2], "3 2 0 9 0 0.3 7"],
    "line 3: a second root": [*GOOD[:2], "3 2 0 9 0 0.3 -1"],
    "line 2: its parents form a cycle": [GOOD[0], "2 2 0 5 0 0.3 3", GOOD[2]],
    "line 1: its parents form a cycle": ["1 1 0 0 0 2.0 3", *GOOD[1:]],
    "line 1: the root must be the soma": ["1 2 0 0 0 2.0 -1", *GOOD[1:]],
    "contains no points": ["# only a comment"],
}


@pytest.mark.parametrize("reason", BROKEN)
def test_broken_swc_is_refused_with_file_and_line(reason, tmp_path):
    path = tmp_path / "mine.swc"
    path.write_text("\n".join(BROKEN[reason]) + "\n")
    with pytest.raises(AnatomyError, match=f"mine.swc,? {reason}"):
        anatomy.read_swc(path)


def test_absent_file_is_named(tmp_path):
    with pytest.raises(AnatomyError, match="no morphology file"):
        anatomy.read_swc(tmp_path / "absent.swc")


def test_children_listed_before_their_parents_are_read_alike(tmp_path):
    forward, backward = tmp_path / "forward.swc", tmp_path / "backward.swc"
    forward.write_text("\n".join(GOOD))
    backward.write_text("\n".join(reversed(GOOD)))
    assert np.array_equal(anatomy.read_swc(forward).xyz, anatomy.read_swc(backward).xyz)


def test_branches_and_changes_of_kind_start_new_sections(tmp_path):
    path = tmp_path / "fork.swc"
    path.write_text("\n".join([*GOOD, "4 2 3 5 0 0.3 2", "5 3 6 5 0 0.3 4"]))
    runs = [(section.points, section.parent, section.kind) for section in anatomy.read_swc(path).sections]
    assert runs == [((0,), -1, 1), ((0, 1), 0, 2), ((1, 2), 1, 2), ((1, 3), 1, 2), ((3, 4), 3, 3)]
