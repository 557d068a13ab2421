"""Pictures: plots and video of a recording."""
