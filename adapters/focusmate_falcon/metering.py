"""Metering: how often each message may be sent by whom, and what the answer says of it."""

import ipaddress
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs
import falcon.asgi

from focusmate_core.messages import Access, Message
from focusmate_core.ports.limits import Limits, Rate
from focusmate_core.refusals import TooOften
from focusmate_falcon.settings import DoorSettings

POLICY, LIMIT = "RateLimit-Policy", "RateLimit"
NETWORK = 64
"""Bits of an IPv6 address that name somebody's network; the rest they choose themselves."""


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
        key = _network(address) if self.by_address or not actor_id else actor_id
        passes, allowance = self.limits.spend(self._limit, self.rate, key)
        resp.set_header(POLICY, self._policy)
        if passes:
            resp.set_header(LIMIT, f"{self._quoted}{allowance.left};t={self._span}")
            return
        wait = max(1, math.ceil(allowance.wait.total_seconds()))
        resp.set_header(LIMIT, f"{self._quoted}0;t={wait}")
        raise TooOften(retry_after=wait)

    def check(self, address: str) -> None:
        """Count one for an address; `TooOften`."""
        key = _network(address)
        passes, allowance = self.limits.spend(self._limit, self.rate, key)
        if not passes:
            raise TooOften(retry_after=max(1, math.ceil(allowance.wait.total_seconds())))

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
        return self._meters["sign_ins" if spec.access is Access.ANYONE else "writes"]


def _meter(name: str, rate: Rate | None, limits: Limits | None) -> Meter | None:
    if rate is None:
        return None
    if limits is None:
        msg = f"DoorSettings.{name} is a rate: give create_app the limits that count it"
        raise ValueError(msg)
    return Meter(name, rate, limits, by_address=name in {"sign_ins", "requests"})


@lru_cache(4096)
def _network(address: str) -> str:
    """An address as it is counted: whoever has an IPv6 address has a whole network of them."""
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(given, ipaddress.IPv4Address):
        return str(given)
    if given.ipv4_mapped is not None:
        return str(given.ipv4_mapped)
    return str(ipaddress.ip_network((given, NETWORK), strict=False))
