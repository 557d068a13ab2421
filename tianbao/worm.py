"""The worm as an experimenter handles it: build, ablate, knock out, cut, stimulate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import anatomy, parameters
from .cells.channels import PARAMETER_SETS
from .cells.geometry import check_discretisation
from .errors import ConfigError, unknown
from .network import perturbations
from .network.design import SIGNS, NetworkDesign, intact_membranes, intact_tables
from .parameters import Parameters


@dataclass(frozen=True)
class Pulse:
    """A square current pulse.

    Attributes:
        amplitude: [nA], positive depolarises.
        start, stop: [ms]
    """

    amplitude: float
    start: float
    stop: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.amplitude) and 0 <= self.start < self.stop):
            raise ConfigError(
                f"pulse of {self.amplitude} nA from {self.start} to {self.stop} ms: "
                "amplitude must be a number and 0 <= start < stop"
            )


class Worm:
    """An adult hermaphrodite: 302 neurons, 95 muscles, one body.

    Every method that changes the worm returns it, so that experiments read as one sentence.

    Args:
        at: position of the middle of the body [mm].
        heading: direction of the head in the plane [rad], 0 along +x.
        parameters: class-level parameters; the crawling set when None.
        discretisation: "traced" (15,910 compartments) or "d_lambda".
        soma_compartments: 2, or 1 (15,608 compartments in all when traced).
        channel_set: kinetic parameter set of the channels, "C19" or "H".
        signs: "predicted" makes every synapse that Fenyves et al. 2020 predict negative inhibitory;
            "transmitter" only those of GABA neurons and of head cross-inhibition.

    Raises:
        ConfigError: for an unknown option.
    """

    def __init__(
        self,
        at: tuple[float, float, float] = (0.0, 0.0, 0.0),
        heading: float = 0.0,
        *,
        parameters: Parameters | None = None,
        discretisation: str = "traced",
        soma_compartments: int = 2,
        channel_set: str = "C19",
        signs: str = "predicted",
    ) -> None:
        if signs not in SIGNS:
            raise ConfigError(unknown("signs", signs, SIGNS))
        check_discretisation(discretisation, soma_compartments)
        if channel_set not in PARAMETER_SETS:
            raise ConfigError(unknown("channel set", channel_set, PARAMETER_SETS))
        self.at = at
        self.heading = heading
        self.parameters = parameters or _defaults()
        self.discretisation = discretisation
        self.soma_compartments = soma_compartments
        self.channel_set = channel_set
        self.signs = signs
        self.pulses: list[tuple[str, Pulse]] = []
        self.interventions: list[str] = []
        self._tables = intact_tables(signs)
        self._membranes = intact_membranes()
        self._deaf: set[str] = set()

    def ablate(self, *neurons: str) -> Worm:
        """Kill neurons (names or globs such as "AVA*"): all their connections are gone.

        Raises:
            AnatomyError: for a neuron that does not exist.
        """
        gone = anatomy.match_neurons(*neurons)
        self._tables = perturbations.ablate(self._tables, gone)
        self._deaf.update(gone)
        return self._noted("ablate", neurons)

    def knock_out(self, *channels: str) -> Worm:
        """Remove channel genes (such as "egl19") from every neuron.

        Raises:
            ConfigError: for a channel that is not one of the 14.
        """
        for channel in channels:
            self._membranes = {name: each.without(channel) for name, each in self._membranes.items()}
        return self._noted("knock_out", channels)

    def cut_gap_junctions(self, a: str, b: str) -> Worm:
        """Cut every gap junction between two groups of neurons, such as "AVB*" and "VB*".

        Raises:
            AnatomyError: for a neuron that does not exist.
            ConfigError: if there is nothing to cut.
        """
        group_a, group_b = anatomy.match_neurons(a), anatomy.match_neurons(b)
        self._tables = perturbations.cut_gap_junctions(self._tables, group_a, group_b)
        return self._noted("cut_gap_junctions", (a, b))

    def silence_stretch_receptors(self, *neurons: str) -> Worm:
        """Make stretch receptors deaf; all of them when no neuron is named."""
        self._deaf.update(anatomy.match_neurons(*(neurons or ("*",))))
        return self._noted("silence_stretch_receptors", neurons)

    def shuffle(self, what: str, seed: int) -> Worm:
        """Permute connections as a control; see `network.perturbations.shuffle`."""
        classes = anatomy.neurons()["class"]
        self._tables = perturbations.shuffle(self._tables, what, classes, seed)
        return self._noted("shuffle", (what, str(seed)))

    def stimulate(self, neuron: str, pulse: Pulse) -> Worm:
        """Inject current into one soma."""
        self.pulses.append((anatomy.neuron_name(neuron), pulse))
        return self._noted("stimulate", (neuron, f"{pulse.amplitude:g} nA {pulse.start:g}-{pulse.stop:g} ms"))

    def design(self, stretch_positions: np.ndarray) -> NetworkDesign:
        """The nervous system to assemble.

        Args:
            stretch_positions: body coordinates at which the body reports kappa L.
        """
        return NetworkDesign(
            parameters=self.parameters,
            tables=self._tables,
            membranes=self._membranes,
            discretisation=self.discretisation,
            channel_set=self.channel_set,
            stretch_positions=stretch_positions,
            deaf=frozenset(self._deaf),
            soma_compartments=self.soma_compartments,
        )

    @property
    def anatomy_changes(self) -> tuple[str, ...]:
        """Interventions that call for a new network; stimuli do not."""
        return tuple(each for each in self.interventions if not each.startswith("stimulate"))

    def _noted(self, verb: str, objects: tuple[str, ...]) -> Worm:
        self.interventions.append(f"{verb}({', '.join(objects)})")
        return self


def _defaults() -> Parameters:
    return parameters.defaults()
