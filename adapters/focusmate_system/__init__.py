"""What this machine gives, with the standard library alone: its clock, and what is unique."""

from focusmate_system.clock import SystemClock
from focusmate_system.codes import RandomCodes
from focusmate_system.ids import RandomIds

__all__ = ["RandomCodes", "RandomIds", "SystemClock"]
