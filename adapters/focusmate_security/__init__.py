"""Argon2id password hashing and signed tokens."""
