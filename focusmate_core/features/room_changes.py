"""Room changes: what a host may change of a room, and handing it over."""
