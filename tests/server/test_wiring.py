"""Wiring: which ports an engine has is said where it is opened."""

from focusmate_core.ports.passwords import Passwords
from focusmate_core.ports.tokens import Tokens
from focusmate_server.settings import Settings
from focusmate_server.wiring import open_engine


def test_who_does_not_hash_passwords_has_all_but_what_hashes(tmp_path):
    settings = Settings(storage=f"sqlite:///{tmp_path}/study.db")
    for hashes in (True, False):
        engine = open_engine(settings, hashes=hashes)
        assert (Passwords in engine.ports, Tokens in engine.ports) == (hashes, True)
        engine.storage.close()
