"""Who watches: where the access token comes from, at first and when it has expired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Protocol

from focusmate_core.ports.clock import Clock
from focusmate_core.ports.tokens import Tokens
from focusmate_server.watching.line import Line, Refused

LASTS = timedelta(minutes=15)


class CannotWatch(Exception):
    """Why the room cannot be watched, or not any more, in one line."""


class Who(Protocol):
    """Somebody, by tokens."""

    advice: str
    """What to do once the server takes no token of theirs."""

    async def token(self, line: Line) -> str:
        """A token to sign in with; asked for again whenever one is used up. `CannotWatch`."""
        ...

    async def leave(self, line: Line) -> None:
        """Tidy up at the end."""
        ...


class ByToken:
    """By one token, which lasts as long as it lasts."""

    advice = "give a new access token, or use --login, which takes new ones by itself"

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self, line: Line) -> str:
        """The one."""
        return self._token

    async def leave(self, line: Line) -> None:
        """Nothing: it is not ours to end."""


class ByFile:
    """By what stands in a file, which somebody else may renew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.advice = f"write a new access token into {path}"

    async def token(self, line: Line) -> str:
        """What stands there now."""
        try:
            return self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as wrong:
            raise CannotWatch(f"--token-file: {self._path} cannot be read: {wrong}") from None

    async def leave(self, line: Line) -> None:
        """Nothing: it is not ours to end."""


class BySigning:
    """By the word of who holds the server's signing key, and so may be anybody."""

    advice = "the server signs with another key: --actor needs its database's settings"

    def __init__(self, person_id: str, tokens: Tokens, clock: Clock) -> None:
        self._claims = {"use": "access", "sub": person_id, "sid": ""}
        self._tokens = tokens
        self._clock = clock

    async def token(self, line: Line) -> str:
        """A new one, as a sign-in gives them."""
        return self._tokens.sign(self._claims, self._clock.now() + LASTS)

    async def leave(self, line: Line) -> None:
        """Nothing: there is no sign-in."""


class ByPassword:
    """By name and password; one sign-in, renewed, and ended at the end."""

    advice = "sign in again"

    def __init__(self, login: str, password: str) -> None:
        self._login = login
        self._password = password
        self._refresh = ""

    async def token(self, line: Line) -> str:
        """By the refresh token, or else by the password."""
        try:
            signed_in = await self._refreshed(line) or (await self._sign_in(line))
        except Refused as no:
            if no.code == "credentials.wrong":
                raise CannotWatch(str(no)) from None
            raise
        self._refresh = signed_in["refresh_token"]
        return signed_in["access_token"]

    async def _refreshed(self, line: Line) -> dict[str, str] | None:
        if not self._refresh:
            return None
        # It is good for once: whether an answer was lost on its way is not known.
        refresh, self._refresh = self._refresh, ""
        try:
            answer = await line.ask("credentials.refresh", refresh_token=refresh)
        except Refused:
            return None
        found: dict[str, str] = answer.ok
        return found

    async def _sign_in(self, line: Line) -> dict[str, str]:
        answer = await line.ask("credentials.sign_in", login=self._login, password=self._password)
        found: dict[str, str] = answer.ok
        return found

    async def leave(self, line: Line) -> None:
        """Sign out, so that no sign-in is left behind."""
        if self._refresh:
            await line.tell("credentials.sign_out", refresh_token=self._refresh)
