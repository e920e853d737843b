"""The HTTP door: Falcon over ASGI, one table of routes."""
