"""Refusals of the door itself, which no feature could give."""

from datetime import datetime

from focusmate_core.refusals import Kind, Refusal, refusal


@refusal(
    "websocket.too_many_subscriptions",
    "One connection watches at most {most} streams; unsubscribe from one that you need no more.",
    kind=Kind.IMPOSSIBLE,
)
class TooManySubscriptions(Refusal):
    """As many streams are watched as one connection may watch."""

    most: int


@refusal(
    "websocket.too_many_connections",
    "One person has at most {most} connections here; close one of the others.",
    kind=Kind.TOO_OFTEN,
)
class TooManyConnections(Refusal):
    """As many connections are this person's as may be."""

    most: int


@refusal(
    "websocket.other_person",
    "This connection belongs to somebody else; open one of your own.",
    kind=Kind.NOT_ALLOWED,
)
class OtherPerson(Refusal):
    """A sign-in that is renewed stays the same person's."""


@refusal(
    "websocket.may_not_watch",
    "You may watch this stream no more; what comes next in it is for others.",
    kind=Kind.NOT_ALLOWED,
)
class MayNotWatch(Refusal):
    """What was just told ended this person's right to watch."""


@refusal(
    "websocket.resync",
    "Events of this stream are no longer held; subscribe again for a snapshot.",
    kind=Kind.OUTDATED,
)
class Resync(Refusal):
    """The door cannot give what comes next without a gap, so it gives nothing."""


@refusal(
    "websocket.sign_in_expires",
    "Your sign-in ends at {expires_at}; send sign_in with a new access token before.",
    kind=Kind.NOT_SIGNED_IN,
)
class SignInExpires(Refusal):
    """Told a minute before the connection would be closed."""

    expires_at: datetime
