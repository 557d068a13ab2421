"""What the body tells the neurons."""

from .proprioception import StretchField, stretch_field

__all__ = ["StretchField", "stretch_field"]
