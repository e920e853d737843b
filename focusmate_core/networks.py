"""Networks: an address as it is counted and shown, so that nobody counts as many of them."""

import ipaddress
from functools import lru_cache


@lru_cache(4096)
def network(address: str) -> str:
    """An address as it is counted and shown: of IPv6 the /64, which is one household's.

    What is no address of either kind stands for itself.
    """
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((int(known), 64), strict=False))
