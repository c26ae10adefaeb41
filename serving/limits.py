"""What one request may cost: media type, body size, waiting time and how many run at once."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ionscout.serving.problems import (
    Overloaded,
    RequestTooLarge,
    UnsupportedMediaType,
    problem_of,
    problem_response,
)

MAX_WAITING = 64  # bodies are held in memory while they wait: 64 of 4 MB are 256 MB
SECONDS_PER_REQUEST = 60.0  # a batch of 256 average crystals takes about 10 s on two cores


class LimitsMiddleware:
    """Reads the body of a POST up to a limit and hands it on whole, or answers with a problem.

    The limit holds for chunked bodies too, whose length no header tells: reading stops at the first byte above it.
    Forms are refused because the framework would read files, even from addresses, out of them.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, seconds: float = SECONDS_PER_REQUEST) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.seconds = seconds
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return await self.app(scope, receive, send)
        if self.waiting >= MAX_WAITING:
            busy = Overloaded(f"{MAX_WAITING} requests are already waiting; try again in a second.")
            return await problem_response(problem_of(busy), {"Retry-After": "1"})(scope, receive, send)
        self.waiting += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self.waiting -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self.seconds):
                self._check_headers(scope)
                body = await self._read(receive)
                await self.app(scope, _replay(body, receive), watch)
        except (RequestTooLarge, UnsupportedMediaType) as error:
            # What is left of the body stays unread, so the connection cannot be used again.
            await problem_response(problem_of(error), {"Connection": "close"})(scope, receive, send)
        except TimeoutError:
            if started:
                raise
            slow = Overloaded(f"No answer within {self.seconds:.0f} s; send fewer crystals in one request.")
            await problem_response(problem_of(slow), {"Connection": "close"})(scope, receive, send)

    def _check_headers(self, scope: Scope) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        media_type = headers.get(b"content-type", "application/json").split(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedMediaType(f"The body is '{media_type}'; send JSON with Content-Type: application/json.")
        if headers.get(b"content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("Compressed bodies are not read; send plain JSON.")
        length = headers.get(b"content-length", "")
        if length.isdigit() and int(length) > self.max_body_bytes:
            raise self._too_large()

    async def _read(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return bytes(body)
            body.extend(message.get("body", b""))
            if len(body) > self.max_body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"The body has more than {self.max_body_bytes} bytes; send fewer or smaller crystals in one request."
        )


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body in one piece, then whatever the connection says."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
