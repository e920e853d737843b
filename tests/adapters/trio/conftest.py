"""A town in memory with its WebSocket door open."""

from __future__ import annotations

import pytest

from focusmate_core.testing.memory import MemoryStorage
from tests.adapters.trio.kit import opened
from tests.features.town import Town


@pytest.fixture
def town():
    return Town(MemoryStorage())


@pytest.fixture
async def house(town):
    async with opened(town) as house:
        yield house
