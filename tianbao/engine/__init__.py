"""What integrates the nervous system: NEURON, or C generated from the same .mod files."""

ENGINES = ("neuron", "native", "native-f32")
"""Names of the engines: NEURON; the native engine, equal to it to rounding; the same in single precision."""
