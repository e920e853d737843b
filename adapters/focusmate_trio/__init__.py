"""The WebSocket door: trio and trio-websocket."""
