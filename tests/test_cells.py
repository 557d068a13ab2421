"""Cells cut from morphologies: counts, areas, membranes."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from tianbao import anatomy
from tianbao.cells import membrane, templates
from tianbao.cells.geometry import Cable, geometry
from tianbao.errors import ConfigError

# [nS per (S/cm2 um2)]
NS_PER_S_PER_CM2_UM2 = 10.0


def test_area_of_a_cable_is_the_frustum_area():
    points = np.array([[0, 0, 0, 2.0], [3, 0, 0, 1.0], [10, 0, 0, 1.0]])
    cable = Cable("neurite", points, 7, None, 0.0)
    expected = math.pi * (1.0 + 0.5) * math.hypot(3.0, 0.5) + math.pi * 1.0 * 7.0
    assert cable.lateral_area() == pytest.approx(expected, rel=1e-12)
    assert cable.areas().shape == (7,)


def test_soma_has_the_area_of_its_sphere():
    morphology = anatomy.morphology("AVAL")
    soma = geometry(morphology).cables[0]
    diameter = 2.0 * morphology.radius[0]
    assert soma.lateral_area() == pytest.approx(math.pi * diameter**2)


def test_every_compartment_has_a_place_and_an_area():
    cell = geometry(anatomy.morphology("DB4"))
    assert cell.centres.shape == (cell.compartments, 3)
    assert (cell.compartment_areas > 0).all()
    assert len(cell.sites) == cell.compartments


def test_d_lambda_needs_fewer_compartments_and_keeps_the_area():
    morphology = anatomy.morphology("AVAL")
    traced, coarse = geometry(morphology), geometry(morphology, "d_lambda")
    assert coarse.compartments < traced.compartments
    assert coarse.area == pytest.approx(traced.area, rel=1e-9)


def test_unknown_discretisation_is_refused():
    with pytest.raises(ConfigError, match="unknown discretisation 'fine'"):
        geometry(anatomy.morphology("AVAL"), "fine")


@pytest.mark.parametrize("count", [0, 3, "2"])
def test_a_soma_of_other_than_one_or_two_compartments_is_refused(count):
    with pytest.raises(ConfigError, match="soma_compartments = .* must be 1 or 2"):
        geometry(anatomy.morphology("AVAL"), soma_compartments=count)


def test_one_soma_compartment_makes_302_compartments_fewer():
    counts = [
        sum(geometry(anatomy.morphology(name), soma_compartments=soma).compartments for name in anatomy.neurons().index)
        for soma in (1, 2)
    ]
    assert counts == [15_608, 15_910]


def totals(neuron, soma_compartments):
    """Area [um2], capacitance [pF] and conductance of each channel [nS] of a cell, summed over its compartments."""
    from tianbao.network.assembly import cell_sections
    from tianbao.worm import Worm

    design = Worm(soma_compartments=soma_compartments).design(np.linspace(0.0, 1.0, 47))
    cell, sections = design.cells[neuron], cell_sections(design)[neuron]
    sums = {"area": cell.area, "capacitance": cell.capacitance, "pool": sections["soma"]["mechs"]["ca_pool"]["depth"]}
    for cable in cell.cables:
        assert sections[cable.name]["geom"]["nseg"] == len(cable.areas())
        for mechanism, values in sections[cable.name]["mechs"].items():
            for key in values:
                if key == "g" or key.startswith("gbar"):
                    total = (values[key] * cable.areas()).sum() * NS_PER_S_PER_CM2_UM2
                    sums[f"{mechanism}.{key}"] = sums.get(f"{mechanism}.{key}", 0.0) + total
    return sums


def test_soma_compartments_leave_area_capacitance_and_conductances_of_a_cell_alone():
    for neuron in ("AWCL", "AVBL", "DB4"):
        one, two = totals(neuron, 1), totals(neuron, 2)
        assert len(one) > 5 and one == pytest.approx(two, rel=1e-12), neuron


def test_every_neuron_has_a_membrane_with_channels():
    for name in anatomy.neurons().index:
        each = membrane.membrane(name)
        assert each.conductances, name
        assert all(value >= 0 for value in each.conductances.values())


def test_a_knock_out_removes_the_channel_and_what_is_coupled_to_it_stays():
    intact = membrane.membrane("DB4")
    mutant = intact.without("slo1")
    assert "slo1_egl19" in intact.conductances
    assert not any(name.startswith("slo1") for name in mutant.conductances)
    assert mutant.conductances["egl19"] == intact.conductances["egl19"]
    with pytest.raises(ConfigError, match="unknown channel 'egl91'"):
        intact.without("egl91")


def test_knocking_out_nca_reaches_the_axon_of_avb():
    from tianbao.worm import Worm

    positions = np.linspace(0.0, 1.0, 47)
    assert Worm().design(positions).membrane_of("AVBL").axonal_nca > 0.0
    mutant = Worm().knock_out("nca").design(positions)
    assert mutant.membrane_of("AVBL").axonal_nca == 0.0
    assert all("nca" not in each.conductances for each in mutant.membranes.values())


@pytest.mark.parametrize(
    ("value", "message"),
    [("-1", "a conductance cannot be negative"), ("nan", "is not a number"), ("much", "is not a number")],
)
def test_bad_conductance_names_file_and_row(tmp_path, value, message):
    path = tmp_path / "templates.csv"
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["template", "quantity", "value", "unit", "source", "certainty"])
        rows.writerow(["x", "egl19", value, "nS", "a test", "low"])
    with pytest.raises(ConfigError, match=f"templates.csv, row 2: .*{message}"):
        templates.templates(path)


def test_every_class_row_has_a_template_and_a_source():
    folder = Path(membrane.__file__).parent
    with open(folder / "classes.csv", newline="") as lines:
        rows = list(csv.DictReader(lines))
    named = {row["class"] for row in rows}
    assert named >= set(anatomy.neurons()["class"])
    assert named <= {*anatomy.neurons()["class"], *anatomy.neurons().index}
    assert all(row["source"] and {row["template"], row["recorded"]} <= set(templates.templates()) for row in rows)
