"""Patch-clamp experiments on single neurons: protocols, what is read off a sweep, and fits to recordings."""
