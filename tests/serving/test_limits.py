"""Request limits as plain ASGI, without a server: sizes, times and numbers."""

import asyncio
import json

import pytest

from ionscout.serving import limits
from ionscout.serving.limits import LimitsMiddleware
from ionscout.serving.problems import ProblemMiddleware


async def call(app, chunks, headers=(), method="POST"):
    """Send one request; return status, media type and body. The last chunk ends the body."""
    sent = []
    messages = [
        {"type": "http.request", "body": chunk, "more_body": i < len(chunks) - 1} for i, chunk in enumerate(chunks)
    ]

    async def receive():
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": "/predict", "headers": list(headers), "http_version": "1.1"}
    await app(scope, receive, send)
    kinds = dict(sent[0]["headers"])
    return sent[0]["status"], kinds.get(b"content-type"), b"".join(m.get("body", b"") for m in sent[1:])


async def echo(scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


@pytest.mark.parametrize("chunks", [[b"abcde", b"fghij"], [b"abcdefghij"], [b""] * 3 + [b"abcdefghij"]])
def test_a_body_within_the_limit_arrives_whole(chunks):
    assert asyncio.run(call(LimitsMiddleware(echo, 10), chunks)) == (200, None, b"abcdefghij")


@pytest.mark.parametrize("headers", [(), [(b"content-length", b"11")]])
def test_a_body_of_one_byte_more_is_413(headers):
    status, kind, body = asyncio.run(call(LimitsMiddleware(echo, 10), [b"abcde", b"fghijk"], headers))
    assert (status, kind) == (413, b"application/problem+json")
    assert json.loads(body)["title"] == "Request too large"


def test_an_answer_that_takes_too_long_is_503():
    async def slow(scope, receive, send):
        await asyncio.sleep(5)

    status, kind, _ = asyncio.run(call(LimitsMiddleware(slow, 10, seconds=0.05), [b"x"]))
    assert (status, kind) == (503, b"application/problem+json")


def test_a_body_that_never_ends_is_503():
    async def stalled():
        async def receive():
            await asyncio.sleep(5)

        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        await LimitsMiddleware(echo, 10, seconds=0.05)(scope, receive, send)
        return sent[0]["status"]

    assert asyncio.run(stalled()) == 503


def test_requests_above_the_number_that_may_wait_are_told_to_come_back(monkeypatch):
    monkeypatch.setattr(limits, "MAX_WAITING", 2)

    async def slow(scope, receive, send):
        await asyncio.sleep(0.05)
        await echo(scope, receive, send)

    async def three():
        app = LimitsMiddleware(slow, 10)
        first = await asyncio.gather(*(call(app, [b"x"]) for _ in range(3)))
        return sorted(status for status, _, _ in first), (await call(app, [b"x"]))[0]

    assert asyncio.run(three()) == ([200, 200, 503], 200)


def test_reading_pages_is_not_limited():
    status, _, _ = asyncio.run(call(LimitsMiddleware(echo, 1), [b"abc"], method="GET"))
    assert status == 200


def test_a_crash_becomes_a_problem_that_says_nothing_of_its_insides():
    async def broken(scope, receive, send):
        raise RuntimeError("secret path /home/x")

    status, kind, body = asyncio.run(call(ProblemMiddleware(broken), [b"x"]))
    assert (status, kind) == (500, b"application/problem+json")
    assert b"secret" not in body
