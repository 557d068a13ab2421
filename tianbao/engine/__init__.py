"""What integrates the nervous system: NEURON, or C generated from the same .mod files."""

from ..errors import ConfigError

PRECISIONS = {
    "native": "f64",
    "native-f32": "f32",
    "native-tables": "f64-tables",
    "native-f32-tables": "f32-tables",
}
"""Names of the native engine's forms: equal to NEURON to rounding, in single precision, with rates from tables."""

ENGINES = ("neuron", *PRECISIONS)
"""Names of every engine."""


def check_brains(count: int, engine: str) -> None:
    """Refuse more brains than an engine holds in one process.

    Raises:
        ConfigError: for several in NEURON, which numbers its cells per process.
    """
    if engine == "neuron" and count > 1:
        raise ConfigError(
            f"engine 'neuron' holds one brain per process, and there are {count} worms: choose engine 'native', "
            "or run each worm in a process of its own"
        )
