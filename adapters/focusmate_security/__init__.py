"""Argon2id password hashing and signed tokens."""

from focusmate_security.passwords import Argon2Passwords
from focusmate_security.tokens import BadKey, SignedTokens, new_key

__all__ = ["Argon2Passwords", "BadKey", "SignedTokens", "new_key"]
