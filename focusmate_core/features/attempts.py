"""Attempts: how often a password may be tried, so that no stranger locks somebody out."""
