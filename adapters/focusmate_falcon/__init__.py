"""The HTTP door: Falcon over ASGI, one table of routes."""

from focusmate_falcon.app import create_app
from focusmate_falcon.settings import DoorSettings

__all__ = ["DoorSettings", "create_app"]
