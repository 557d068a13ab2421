"""Shared fixtures live here; see each test module for the claim its names state."""
