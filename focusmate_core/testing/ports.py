"""Fakes for all ports that the bundled features use beside storage, clock and ids."""

from typing import Any

from focusmate_core.ports.clock import Clock
from focusmate_core.ports.codes import Codes
from focusmate_core.ports.limits import Limits
from focusmate_core.ports.passwords import Passwords
from focusmate_core.ports.tokens import Tokens
from focusmate_core.testing.codes import SequentialCodes
from focusmate_core.testing.limits import MemoryLimits, NoLimits
from focusmate_core.testing.passwords import FakePasswords
from focusmate_core.testing.tokens import FakeTokens


def fake_ports(clock: Clock | None = None) -> dict[type, Any]:
    """What an engine in a test is given as `ports`; without a clock nothing is limited."""
    return {
        Passwords: FakePasswords(),
        Tokens: FakeTokens(),
        Codes: SequentialCodes(),
        Limits: NoLimits() if clock is None else MemoryLimits(clock),
    }
