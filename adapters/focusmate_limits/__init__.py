"""How often something may be done, counted in this process by the library limits."""

from focusmate_limits.windows import WindowLimits

__all__ = ["WindowLimits"]
