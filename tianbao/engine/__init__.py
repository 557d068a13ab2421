"""What integrates the nervous system: NEURON, or C generated from the same .mod files."""

PRECISIONS = {
    "native": "f64",
    "native-f32": "f32",
    "native-tables": "f64-tables",
    "native-f32-tables": "f32-tables",
}
"""Names of the native engine's forms: equal to NEURON to rounding, in single precision, with rates from tables."""

ENGINES = ("neuron", *PRECISIONS)
"""Names of every engine."""
