"""Argon2id password hashing and signed tokens."""

from focusmate_security.keys import BadKey, FixedKeys, Key, Keys, new_key
from focusmate_security.passwords import Argon2Passwords
from focusmate_security.tokens import SignedTokens

__all__ = [
    "Argon2Passwords",
    "BadKey",
    "FixedKeys",
    "Key",
    "Keys",
    "SignedTokens",
    "new_key",
]
