"""The WebSocket door: trio and trio-websocket."""

from focusmate_trio.door import listen, serve
from focusmate_trio.settings import DoorSettings

__all__ = ["DoorSettings", "listen", "serve"]
