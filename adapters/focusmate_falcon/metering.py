"""Metering: how often each message may be sent by whom, and what the answer says of it."""

import math
from collections.abc import Mapping
from typing import Any

import attrs
import falcon.asgi

from focusmate_core.messages import Access, Message
from focusmate_core.networks import network
from focusmate_core.ports.limits import Allowance, Limits, Rate
from focusmate_core.refusals import TooOften
from focusmate_falcon.settings import DoorSettings

POLICY, LIMIT = "RateLimit-Policy", "RateLimit"
BY_ADDRESS = frozenset({"sign_ins", "renewals", "requests"})
RENEWALS = frozenset({"credentials.refresh", "credentials.sign_out"})
"""What anybody may send and only a signed token makes dear: nonsense costs next to nothing."""


@attrs.frozen
class Meter:
    """One limit over keys; its headers are those of draft-ietf-httpapi-ratelimit-headers-10."""

    name: str
    rate: Rate
    limits: Limits
    by_address: bool
    """Whether an address is counted also where somebody is signed in."""

    def take(self, actor_id: str, address: str, resp: falcon.asgi.Response) -> None:
        """Count one, and tell what is left; `TooOften`."""
        key = network(address) if self.by_address or not actor_id else actor_id
        passes, allowance = self.limits.spend(self._limit, self.rate, key)
        if passes:
            resp.set_header(POLICY, self._policy)
            resp.set_header(LIMIT, f"{self._quoted}{allowance.left};t={self._span}")
            return
        wait = _whole(allowance)
        resp.set_headers(self.above(wait))
        raise TooOften(retry_after=wait)

    def check(self, address: str) -> int:
        """Count one for an address: 0, or how many seconds to wait."""
        passes, allowance = self.limits.spend(self._limit, self.rate, network(address))
        return 0 if passes else _whole(allowance)

    def above(self, wait: int) -> dict[str, str]:
        """The headers of a refusal."""
        return {POLICY: self._policy, LIMIT: f"{self._quoted}0;t={wait}"}

    _limit: str = attrs.field(init=False)
    _span: int = attrs.field(init=False)
    _policy: str = attrs.field(init=False)
    _quoted: str = attrs.field(init=False)

    @_limit.default
    def _its_limit(self) -> str:
        return f"http.{self.name}"

    @_span.default
    def _its_span(self) -> int:
        return math.ceil(self.rate.per.total_seconds())

    @_policy.default
    def _its_policy(self) -> str:
        return f'"{self.name}";q={self.rate.most};w={self._span}'

    @_quoted.default
    def _its_beginning(self) -> str:
        return f'"{self.name}";r='


class Meters:
    """The meters of a door; None where there is no limit."""

    def __init__(self, settings: DoorSettings, limits: Limits | None) -> None:
        rates = {
            "reads": settings.reads,
            "writes": settings.writes,
            "sign_ins": settings.sign_ins,
            "renewals": settings.renewals,
            "requests": settings.requests,
        }
        self._meters: Mapping[str, Meter | None] = {
            name: _meter(name, rate, limits) for name, rate in rates.items()
        }
        self.requests = self._meters["requests"]

    def of(self, message: type[Message[Any]]) -> Meter | None:
        """What counts this message."""
        spec = message.spec
        if spec.is_query:
            return self._meters["reads"]
        if spec.access is not Access.ANYONE:
            return self._meters["writes"]
        return self._meters["renewals" if spec.wire in RENEWALS else "sign_ins"]


def _meter(name: str, rate: Rate | None, limits: Limits | None) -> Meter | None:
    if rate is None:
        return None
    if limits is None:
        msg = f"DoorSettings.{name} is a rate: give create_app the limits that count it"
        raise ValueError(msg)
    return Meter(name, rate, limits, by_address=name in BY_ADDRESS)


def _whole(allowance: Allowance) -> int:
    return max(1, math.ceil(allowance.wait.total_seconds()))
