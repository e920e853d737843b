"""The table of routes: method, path, message and what success answers."""

import re

import attrs


@attrs.frozen
class Route:
    """One line of the table; the fields in braces are the message's, given in the path."""

    method: str
    path: str
    wire: str
    status: int = 200
    location: str | None = None
    """Where what was made can be read, as a format of the answer."""

    @property
    def in_path(self) -> frozenset[str]:
        """The names of the fields that the path gives."""
        return frozenset(re.findall(r"{(\w+)}", self.path))


ROUTES = (
    Route("POST", "/v1/accounts", "credentials.register", 201, "/v1/people/{0.id}"),
    Route("POST", "/v1/tokens", "credentials.sign_in"),
    Route("POST", "/v1/tokens/refresh", "credentials.refresh"),
    Route("POST", "/v1/tokens/revoke", "credentials.sign_out", 204),
    Route("PUT", "/v1/password", "credentials.change_password", 204),
    Route("GET", "/v1/sign-ins", "credentials.sign_ins"),
    Route("DELETE", "/v1/sign-ins/{sign_in_id}", "credentials.end_sign_in", 204),
    Route("POST", "/v1/sign-ins/end", "credentials.sign_out_everywhere", 204),
    Route("GET", "/v1/account/export", "accounts.export"),
    Route("POST", "/v1/account/delete", "accounts.delete", 204),
    Route("GET", "/v1/people/me", "people.me"),
    Route("PATCH", "/v1/people/me", "people.update"),
    Route("GET", "/v1/people/me/private", "people.private"),
    Route("PATCH", "/v1/people/me/private", "people.change_private"),
    Route("GET", "/v1/people", "people.search"),
    Route("GET", "/v1/people/{person_id}", "people.by_id"),
    Route("PUT", "/v1/people/{person_id}/roles", "people.change_roles"),
    Route("POST", "/v1/rooms", "rooms.open", 201, "/v1/rooms/{0.id}"),
    Route("GET", "/v1/rooms", "rooms.public"),
    Route("GET", "/v1/rooms/mine", "rooms.mine"),
    Route("GET", "/v1/rooms/{room_id}", "rooms.by_id"),
    Route("PATCH", "/v1/rooms/{room_id}", "rooms.update"),
    Route("GET", "/v1/rooms/{room_id}/preview", "rooms.preview"),
    Route("POST", "/v1/rooms/{room_id}/join", "rooms.join"),
    Route("POST", "/v1/rooms/{room_id}/leave", "rooms.leave"),
    Route("POST", "/v1/rooms/{room_id}/close", "rooms.close"),
    Route("POST", "/v1/rooms/{room_id}/moderators", "rooms.appoint"),
    Route("POST", "/v1/rooms/{room_id}/host", "rooms.hand_over"),
    Route("GET", "/v1/rooms/{room_id}/members", "rooms.members"),
    Route("DELETE", "/v1/rooms/{room_id}/members/{person_id}", "rooms.remove"),
    Route("GET", "/v1/rooms/{room_id}/bans", "rooms.bans"),
    Route("POST", "/v1/rooms/{room_id}/bans", "rooms.ban"),
    Route("DELETE", "/v1/rooms/{room_id}/bans/{person_id}", "rooms.unban", 204),
    Route("PUT", "/v1/rooms/{room_id}/plan", "timer.change_plan"),
    Route("POST", "/v1/desk", "desks.open"),
    Route("POST", "/v1/rooms/{room_id}/invitations", "invitations.invite"),
    Route("GET", "/v1/rooms/{room_id}/invitations", "invitations.of_room"),
    Route("GET", "/v1/invitations", "invitations.mine"),
    Route("POST", "/v1/invitations/{invitation_id}/accept", "invitations.accept"),
    Route("POST", "/v1/invitations/{invitation_id}/decline", "invitations.decline"),
    Route("DELETE", "/v1/invitations/{invitation_id}", "invitations.revoke"),
    Route("POST", "/v1/rooms/{room_id}/links", "links.open"),
    Route("GET", "/v1/rooms/{room_id}/links", "links.of_room"),
    Route("DELETE", "/v1/rooms/{room_id}/links/{link_id}", "links.revoke", 204),
    Route("POST", "/v1/links/preview", "links.preview"),
    Route("POST", "/v1/links/join", "links.join"),
    Route("POST", "/v1/rooms/{room_id}/presence", "presence.enter"),
    Route("GET", "/v1/rooms/{room_id}/presence", "presence.in_room"),
    Route("POST", "/v1/presence", "presence.report"),
    Route("GET", "/v1/presence", "presence.mine"),
    Route("GET", "/v1/rooms/{room_id}/timer", "timer.state"),
    Route("POST", "/v1/rooms/{room_id}/timer/start", "timer.start"),
    Route("POST", "/v1/rooms/{room_id}/timer/pause", "timer.pause"),
    Route("POST", "/v1/rooms/{room_id}/timer/resume", "timer.resume"),
    Route("POST", "/v1/rooms/{room_id}/timer/reset", "timer.reset"),
    Route("POST", "/v1/rooms/{room_id}/timer/skip", "timer.skip"),
    Route("POST", "/v1/rooms/{room_id}/timer/complete", "timer.complete"),
    Route("POST", "/v1/rooms/{room_id}/timer/extend", "timer.extend"),
    Route("POST", "/v1/sessions", "sessions.record", 201, "/v1/sessions/{0.id}"),
    Route("GET", "/v1/sessions", "sessions.history"),
    Route("POST", "/v1/sessions/scheduled", "sessions.schedule", 201, "/v1/sessions/{0.id}"),
    Route("GET", "/v1/sessions/{session_id}", "sessions.by_id"),
    Route("PATCH", "/v1/sessions/{session_id}", "sessions.annotate"),
    Route("DELETE", "/v1/sessions/{session_id}", "sessions.remove"),
    Route("POST", "/v1/sessions/{session_id}/cancel", "sessions.cancel"),
    Route("GET", "/v1/days/today", "days.today"),
    Route("GET", "/v1/days/history", "days.history"),
    Route("PUT", "/v1/days", "days.change"),
    Route("GET", "/v1/stats/days", "stats.days"),
    Route("POST", "/v1/stats/recount", "stats.recount"),
)

DO = "/v1/do/{wire}"
"""Where every message is sent to by its wire name, whether or not it has a route of its own."""


def do_route(wire: str) -> Route:
    """The route of one message under `DO`."""
    return Route("POST", DO.format(wire=wire), wire)
