"""Profiles: what people say of themselves, to all and for themselves alone; and finding people."""
