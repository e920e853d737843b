"""Invitations: to a person, accepted or declined until they expire."""
