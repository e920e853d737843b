"""Watching: a live room in the terminal, kept by what a server tells over its WebSocket."""
