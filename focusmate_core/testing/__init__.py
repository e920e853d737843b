"""Fakes, recorders, strategies and contracts: what a plugin or an embedder tests itself with."""
