"""File formats: results, checkpoints, exchange with other software."""

from .results import open_recording, prepare_folder, save_recording, write_summary

__all__ = ["open_recording", "prepare_folder", "save_recording", "write_summary"]
