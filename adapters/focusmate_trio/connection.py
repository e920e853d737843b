"""A connection: one client's way from the first byte to the last, bounded at both ends."""

import logging

import trio
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    wrap_server_stream,
)

from focusmate_core.refusals import Refusal
from focusmate_trio import frames
from focusmate_trio.conversation import Conversation
from focusmate_trio.opening import NoRequest, Opening, problem, read_head
from focusmate_trio.stream import Wire, nothing
from focusmate_trio.watching import Shared

_LOG = logging.getLogger("focusmate.websocket")

PROTOCOL = "focusmate.v1"
OURS_TO_TELL = {1002, 1003, 1007, 1009, 1011}
"""What trio-websocket finds wrong, and does not always say to the peer."""


class Connection:
    """One accepted socket; `attend` is its whole life."""

    def __init__(self, shared: Shared, wire: Wire, address: str) -> None:
        self._settings = shared.settings
        self._document = shared.document
        self._peer = address
        self._wire = wire
        self._scope = trio.CancelScope()
        self.life = trio.CancelScope(shield=True)
        """Not cancelled with the door, which says goodbye first."""
        self.conversation = Conversation(shared, wire, self._finish)
        self.is_open = False
        """The handshake is done: it can be pinged, and told."""
        wire.on_slow = self._too_slow
        wire.on_pong = self.conversation.count_ping

    async def attend(self) -> None:
        """See the client through; never raises for anything the client or a bug does."""
        try:
            with self.life:
                await self._attend_guarded()
                with trio.move_on_after(self._settings.closing_within.total_seconds()):
                    await self._wire.linger()
        finally:
            self._wire.drop()

    async def _attend_guarded(self) -> None:
        try:
            await self._attend()
        except* Exception as failed:  # noqa: BLE001  it is logged, and ends this connection alone
            self._tell(failed)
        finally:
            self.conversation.watching.leave()

    def _tell(self, failed: ExceptionGroup[Exception]) -> None:
        # A broken handshake, or a peer that talks on after the end, is no fault of ours.
        if not self.is_open or self._wire.is_shut:
            _LOG.debug("a peer broke its connection", exc_info=failed)
            return
        _LOG.error("a connection broke", exc_info=failed)
        self._wire.finish(frames.close_frame(frames.BROKEN, "a bug, and it is logged"))

    def _finish(self, code: int, reason: str) -> None:
        self._wire.finish(frames.close_frame(code, reason))
        self._scope.cancel()

    def _too_slow(self) -> None:
        self.conversation.close(frames.TOO_SLOW, "too slow")

    # -- the opening handshake --------------------------------------------------------------------

    async def _attend(self) -> None:
        within = self._settings.handshake_within.total_seconds()
        until = trio.current_time() + within
        with trio.CancelScope(deadline=until):
            if not await self._is_for_us():
                return
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            websocket = None
            with trio.CancelScope(deadline=until) as bounded:
                self._wire.on_end = bounded.cancel
                websocket = await self._handshake(nursery)
            if websocket is not None:
                await self._talk(websocket)
            nursery.cancel_scope.cancel()

    async def _is_for_us(self) -> bool:
        try:
            head = await read_head(self._wire)
            opening = Opening(head)
        except NoRequest:
            self._wire.push(problem(400, "Bad Request", "This is no HTTP request."))
            return False
        if opening.is_ours:
            self._wire.unread(head)
        else:
            self._wire.push(opening.answer(self._document))
        return opening.is_ours

    async def _handshake(self, nursery: trio.Nursery) -> WebSocketConnection | None:
        request = await wrap_server_stream(
            nursery,
            self._wire,
            message_queue_size=self._settings.frames_waiting,
            max_message_size=self._settings.longest_frame,
        )
        offered = request.proposed_subprotocols
        if offered and PROTOCOL not in offered:
            await request.reject(400, body=f"The protocol here is {PROTOCOL}.".encode())
            return None
        websocket = await request.accept(subprotocol=PROTOCOL if offered else None)
        self._wire.on_end = nothing
        self.is_open = True
        address = self._settings.address_of(self._peer, request.headers)
        self.conversation.comes_from(address)
        self._sign_in_by_header(request)
        return websocket

    def _sign_in_by_header(self, request: WebSocketRequest) -> None:
        given = dict(request.headers).get(b"authorization")
        if given is None:
            return
        scheme, _, token = given.decode("ascii").partition(" ")
        try:
            self.conversation.sign_in(token.strip() if scheme.lower() == "bearer" else "")
        except Refusal as refusal:
            code, reason = self.conversation.verdict or (frames.TRY_LATER, refusal.code)
            self.conversation.close(code, reason)

    # -- the conversation -------------------------------------------------------------------------

    async def _talk(self, websocket: WebSocketConnection) -> None:
        patience = self.conversation.patience
        if not self.conversation.actor.id:
            within = self._settings.sign_in_within.total_seconds()
            patience.deadline = trio.current_time() + within
        with patience:
            await self._hear_all(websocket)
        if patience.cancelled_caught:
            self.conversation.close(frames.NOT_SIGNED_IN, "nobody signed in")

    async def _hear_all(self, websocket: WebSocketConnection) -> None:
        try:
            while True:
                await self._hear(await websocket.get_message())
                await self._wire.wait_room()
        except ConnectionClosed as ended:
            if ended.reason is not None and ended.reason.code in OURS_TO_TELL:
                self.conversation.close(ended.reason.code, ended.reason.reason or "")

    async def _hear(self, message: str | bytes) -> None:
        longest = self._settings.longest_frame
        if isinstance(message, bytes):
            self.conversation.close(frames.UNSUPPORTED, "frames are text")
        elif len(message) > longest // 4 and len(message.encode()) > longest:
            self.conversation.close(frames.TOO_BIG, f"a frame has at most {longest} bytes")
        else:
            await self.conversation.hear(message)
