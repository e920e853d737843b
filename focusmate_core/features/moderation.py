"""Moderation: who is removed from a room, and banned."""
