"""The product: `BUNDLED` lists its features from the ground up."""

from focusmate_core.features import (
    credentials,
    directory,
    people,
    rooms,
    seats,
    timer,
    timer_control,
)

BUNDLED = (people, credentials, rooms, seats, directory, timer, timer_control)
