"""Ids from the machine's randomness."""

import os
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RandomIds:
    """`Ids`: UUIDv7 by RFC 9562, ordered to the microsecond (its method 3), then 62 random bits."""

    def new(self, now: datetime) -> str:
        """A new id, lower-case, whose time part is `now`."""
        millis, micros = divmod((now - _EPOCH) // _MICROSECOND, 1000)
        fraction = micros * 4096 // 1000
        chance = int.from_bytes(os.urandom(8)) & (1 << 62) - 1
        number = millis << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | chance
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
