"""From the connectome to a NetPyNE network: placement, strengths, assembly, perturbations."""
