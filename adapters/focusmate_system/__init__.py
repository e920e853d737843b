"""What this machine gives, with the standard library alone: its clock, and ids that are unique."""

from focusmate_system.clock import SystemClock
from focusmate_system.ids import RandomIds

__all__ = ["RandomIds", "SystemClock"]
