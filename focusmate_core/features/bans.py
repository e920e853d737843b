"""Bans: who may not come into a room any more."""
