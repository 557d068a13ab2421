"""Channels, class conductances, and cells cut from traced morphologies."""
