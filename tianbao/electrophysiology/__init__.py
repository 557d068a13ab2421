"""Patch-clamp experiments on single neurons: protocols, measures of sweeps, and fits to recordings."""
