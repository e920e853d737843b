"""Accounts: all that one owns as one document, and the end of an account."""
