"""Wiring: which ports an engine has is said where it is opened."""

from datetime import timedelta

import pytest

from focusmate_core.features.presence import PresencePolicy
from focusmate_core.ports.passwords import Passwords
from focusmate_core.ports.tokens import Tokens
from focusmate_server.realtime_role import door_settings
from focusmate_server.settings import Settings
from focusmate_server.wiring import open_engine


def test_who_does_not_hash_passwords_has_all_but_what_hashes(tmp_path):
    settings = Settings(storage=f"sqlite:///{tmp_path}/study.db")
    for hashes in (True, False):
        engine = open_engine(settings, hashes=hashes)
        assert (Passwords in engine.ports, Tokens in engine.ports) == (hashes, True)
        engine.storage.close()


@pytest.mark.parametrize(
    ("settings", "lease", "renewals"),
    [
        ({}, 60, 20),
        ({"lease_seconds": 3600}, 3600, 1200),
        ({"presence": "joined"}, None, None),
    ],
)
@pytest.mark.parametrize("hashes", [True, False])
def test_every_engine_and_the_gateway_keep_the_policy_that_is_set(
    tmp_path, settings, lease, renewals, hashes
):
    set_so = Settings(storage=f"sqlite:///{tmp_path}/study.db", **settings)
    engine = open_engine(set_so, hashes=hashes)
    engine.storage.close()
    as_span = [None if each is None else timedelta(seconds=each) for each in (lease, renewals)]
    assert [engine.ports[PresencePolicy].lease, door_settings(set_so).renew_every] == as_span
