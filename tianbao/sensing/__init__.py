"""What the body tells the neurons."""

from .proprioception import Proprioception, StretchField, stretch_field

__all__ = ["Proprioception", "StretchField", "stretch_field"]
