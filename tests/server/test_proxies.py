"""Who is behind a proxy is believed only of proxies that are trusted, and no further."""

import ipaddress
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_server.proxies import Proxies, address_of, ip_of
from focusmate_server.settings import FORWARDED, Settings

PROXY, ADA, EVE = "10.0.0.1", "203.0.113.7", "198.51.100.66"
NETWORKS = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
TRUSTED, BY_RFC = Proxies(NETWORKS), Proxies(NETWORKS, FORWARDED)
ADDRESSES = st.ip_addresses().map(str)
OUTSIDE = st.ip_addresses().filter(
    lambda it: ip_of(str(it)) not in ipaddress.ip_network("10.0.0.0/8") and not it.is_private
)


def forwarded_for(*values):
    return [(b"x-forwarded-for", value.encode()) for value in values]


def forwarded(*values):
    return [(b"forwarded", value.encode()) for value in values]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], PROXY),
        (forwarded_for(ADA), ADA),
        (forwarded_for(f"{EVE}, {ADA}"), ADA),
        (forwarded_for(f"{EVE}, {ADA}, 10.2.3.4"), ADA),
        (forwarded_for(EVE, ADA), ADA),
        (forwarded_for(f"{ADA}:8123"), ADA),
        (forwarded_for("[2001:db8::7]:443"), "2001:db8::7"),
        (forwarded_for("2001:DB8:0::7"), "2001:db8::7"),
        (forwarded_for(f"::ffff:{ADA}"), ADA),
        (forwarded_for("fe80::1%eth0"), "fe80::1"),
        (forwarded_for(f"{EVE}, nonsense"), PROXY),
        (forwarded_for(f"{EVE}, unknown, 10.0.0.9"), "10.0.0.9"),
        (forwarded_for(f"{ADA},"), PROXY),
        (forwarded_for("10.0.0.5, 10.0.0.9"), "10.0.0.5"),
        (forwarded_for(f"{EVE}," * 10_000 + ADA), ADA),
    ],
)
def test_a_trusted_proxy_tells_who_is_nearest_before_it(headers, found):
    assert TRUSTED.address_of(PROXY, headers) == found


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (forwarded(f"for={ADA}"), ADA),
        (forwarded(f'for="{ADA}:1234";proto=https;by=10.0.0.1'), ADA),
        (forwarded('proto=https;For="[2001:db8::7]:_x"'), "2001:db8::7"),
        (forwarded(f"for={EVE}, for={ADA};host=a.example"), ADA),
        (forwarded(f"for={EVE}", f"for={ADA}"), ADA),
        (forwarded(f"for={EVE}, for=_hidden"), PROXY),
        (forwarded(f"for={EVE}, proto=https"), PROXY),
        (forwarded(f'for={EVE}, host="a,for={EVE}";for={ADA}'), ADA),
    ],
)
def test_it_may_tell_so_in_the_other_header(headers, found):
    assert BY_RFC.address_of(PROXY, headers) == found


@given(claimed=ADDRESSES | st.text(max_size=30))
def test_the_header_that_is_not_named_is_not_looked_at(claimed):
    as_it_came = forwarded(f'for="{claimed}"'.encode(errors="replace").decode())
    assert TRUSTED.address_of(PROXY, as_it_came) == PROXY
    assert TRUSTED.address_of(PROXY, as_it_came + forwarded_for(ADA)) == ADA
    for other in (EVE, str(ip_of(claimed) or EVE)):
        assert BY_RFC.address_of(PROXY, forwarded_for(other) + forwarded(f"for={ADA}")) == ADA
        assert BY_RFC.address_of(PROXY, forwarded_for(other)) == PROXY


@given(peer=OUTSIDE.map(str), told=st.lists(ADDRESSES))
def test_nobody_else_is_believed(peer, told):
    headers = forwarded_for(*told) + forwarded(*(f'for="[{each}]"' for each in told))
    assert TRUSTED.address_of(peer, headers) == BY_RFC.address_of(peer, headers) == peer
    assert Proxies().address_of(PROXY, headers) == PROXY


@given(claimed=st.lists(ADDRESSES | st.text(max_size=30)), before=OUTSIDE.map(str))
def test_whatever_a_client_claims_its_own_address_is_found(claimed, before):
    headers = [(b"x-forwarded-for", each.encode()) for each in claimed] + forwarded_for(before)
    assert TRUSTED.address_of(PROXY, headers) == str(ip_of(before))


@given(
    value=st.binary(max_size=200),
    name=st.sampled_from([b"forwarded", b"x-forwarded-for"]),
    peer=st.sampled_from([PROXY, "", "unix:", "127.0.0.1"]),
)
def test_garbage_is_never_an_address_and_never_a_fault(value, name, peer):
    for proxies in (TRUSTED, BY_RFC):
        found = proxies.address_of(peer, [(name, value)])
        assert found == peer or ip_of(found) is not None


def test_a_proxy_that_was_forgotten_is_told_once(caplog):
    trusting = address_of(Settings(trusted_proxies=("127.0.0.1/32",)))
    assert trusting("127.0.0.1", forwarded_for(ADA)) == ADA
    forgotten = address_of(Settings())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert forgotten("127.0.0.1", forwarded_for(ADA)) == "127.0.0.1"
            forgotten(EVE, forwarded_for(ADA))
    assert caplog.messages == [
        "a proxy at 127.0.0.1 is not trusted: name it in FOCUSMATE_TRUSTED_PROXIES"
    ]
