"""Roles: who is a moderator or an admin of the whole community."""
