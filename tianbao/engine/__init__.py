"""What integrates the nervous system: NEURON, or C generated from the same .mod files."""
