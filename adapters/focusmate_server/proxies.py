"""Proxies: whom a request comes from, where a proxy that is trusted brings it."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from focusmate_server.settings import FORWARDED, X_FORWARDED_FOR, Settings

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

_WITH_PORT = re.compile(r"\[(?P<six>[^\]]+)\](?::[\w.-]+)?|(?P<four>[0-9.]+)(?::[\w.-]+)?")
_FOR = re.compile(
    r'(?:^|;)\s*for\s*=\s*(?:"(?P<quoted>[^"\\]*)"|(?P<token>[^\s;"]+))\s*(?=;|$)', re.IGNORECASE
)
_ELEMENT = re.compile(r'(?:[^,"]|"[^"]*")+')
LONGEST = 8192
"""How much of a header is read, from its end."""
log = logging.getLogger(__name__)


def ip_of(text: str) -> Ip | None:
    """An address with or without brackets, port and zone; an IPv4 one also where it is mapped."""
    found = _WITH_PORT.fullmatch(text.strip())
    bare = (found["six"] or found["four"]) if found else text.strip()
    try:
        given = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    if isinstance(given, ipaddress.IPv6Address) and given.ipv4_mapped is not None:
        return given.ipv4_mapped
    return given


class Proxies:
    """Which peers are proxies that are trusted; none by default, and then no header counts."""

    def __init__(self, networks: Sequence[Network] = (), header: str = X_FORWARDED_FOR) -> None:
        self._networks = tuple(networks)
        self._header = header.encode()
        self._read = _READ[header]
        self._has_told = False
        self._trusts = lru_cache(4096)(self._look)

    def address_of(self, peer: str, headers: Headers) -> str:
        """Whom a request comes from: the nearest before it that is no trusted proxy.

        The header is read from the right, where the trusted ones wrote; what is no address ends the
        reading. It is one header: a proxy that writes `X-Forwarded-For` lets a client's `Forwarded`
        (RFC 7239) pass as it came, or the other way round.
        """
        said = _joined(headers, self._header)
        if not said:
            return peer
        if not self._trusts(peer):
            self._tell(peer)
            return peer
        return self._nearest(peer, self._read(said))

    def _nearest(self, peer: str, told: Iterator[str]) -> str:
        nearest = peer
        for text in told:
            address = ip_of(text) if self._trusts(nearest) else None
            if address is None:
                break
            nearest = str(address)
        return nearest

    def _look(self, text: str) -> bool:
        address = ip_of(text)
        return address is not None and any(address in network for network in self._networks)

    def _tell(self, peer: str) -> None:
        """Say once what is likely forgotten: all who come by this proxy count as one address."""
        address = ip_of(peer)
        if self._has_told or address is None or not address.is_loopback:
            return
        self._has_told = True
        log.warning("a proxy at %s is not trusted: name it in FOCUSMATE_TRUSTED_PROXIES", peer)


def address_of(settings: Settings) -> Callable[[str, Headers], str]:
    """What a door is given to know whom a request comes from."""
    networks = [ipaddress.ip_network(each) for each in settings.trusted_proxies]
    return Proxies(networks, settings.proxy_header).address_of


def _joined(headers: Headers, name: bytes) -> str:
    return ",".join([value.decode("latin-1") for given, value in headers if given == name])[
        -LONGEST:
    ]


def _addresses(former: str) -> Iterator[str]:
    return reversed(former.split(","))


def _fors(forwarded: str) -> Iterator[str]:
    """Who is told to be before each proxy, the last first; nonsense where an element has nobody."""
    for element in reversed(_ELEMENT.findall(forwarded)):
        found = _FOR.search(element.strip())
        yield (found["quoted"] or found["token"] or "") if found else ""


_READ: Mapping[str, Callable[[str], Iterator[str]]] = {
    X_FORWARDED_FOR: _addresses,
    FORWARDED: _fors,
}
