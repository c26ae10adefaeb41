"""One format for every error that leaves the service: RFC 9457 `application/problem+json`."""

import json
import logging
import re
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ionscout.datasets.errors import InvalidInput, IonscoutError

MEDIA_TYPE = "application/problem+json"
MAX_REWRITTEN_BYTES = 1_000_000  # an error body of the framework is a few hundred bytes; more is not worth parsing

UNION_TAGS = {"one", "many", "as text", "as object"}  # of the schemas' discriminated unions; no user wrote them

logger = logging.getLogger("ionscout.serving")


class Problem(BaseModel):
    """What went wrong, as every failing route answers it."""

    type: str = Field(description="Stable name of the kind of problem, a URN.", examples=["urn:ionscout:no-lithium"])
    title: str = Field(description="The kind of problem in a few words.", examples=["No lithium"])
    status: int = Field(description="The HTTP status code.", examples=[400])
    detail: str = Field(description="One sentence: what is wrong with this request and what to do about it.")
    index: int | None = Field(None, description="Position (from 0) of the offending item when a list was sent.")


class InvalidRequest(InvalidInput):
    title = "Invalid request"


class RequestTooLarge(InvalidInput):
    title = "Request too large"
    http_status = 413


class UnsupportedMediaType(InvalidInput):
    title = "Unsupported media type"
    http_status = 415


class Overloaded(IonscoutError):
    title = "Overloaded"
    http_status = 503


class ItemError(IonscoutError):
    """An error about one item of a list; `index` is its position from 0."""

    def __init__(self, error: IonscoutError, index: int) -> None:
        super().__init__(str(error))
        self.title, self.http_status, self.index = error.title, error.http_status, index


def problem_of(error: Exception) -> Problem:
    """Describe an exception. One that is not an `IonscoutError` says nothing about its insides."""
    if isinstance(error, ValidationError):
        error = request_error(error)
    if not isinstance(error, IonscoutError):
        return problem(500, "The service failed on this request; its log says why.")
    return problem(error.http_status, str(error), error.title, getattr(error, "index", None))


def problem(status: int, detail: str, title: str | None = None, index: int | None = None) -> Problem:
    title = title or _phrase(status)
    return Problem(type=f"urn:ionscout:{_slug(title)}", title=title, status=status, detail=_text(detail), index=index)


def problem_response(content: Problem, headers: dict[str, str] | None = None) -> Response:
    body = content.model_dump_json(exclude_none=True)
    return Response(body, content.status, headers=headers, media_type=MEDIA_TYPE)


def request_error(error: ValidationError) -> IonscoutError:
    """Say in one sentence what is wrong with a JSON body that does not fit its schema."""
    first = error.errors(include_url=False)[0]
    place = [part for part in first["loc"] if part not in UNION_TAGS]
    index = next((part for part in place if isinstance(part, int)), None)
    field = ".".join(str(part) for part in place if not isinstance(part, int))
    problem_ = InvalidRequest(_sentence(first["type"], field, first["msg"], first.get("ctx", {})))
    return problem_ if index is None else ItemError(problem_, index)


_SENTENCES = {
    "missing": "{field} is missing.",
    "extra_forbidden": "Unknown field '{field}'; /docs.json lists the fields of this request.",
    "string_type": "{field} must be a string.",
    "string_unicode": "{field} must be valid Unicode.",
    "float_type": "{field} must be a number, without quotes.",
    "float_parsing": "{field} must be a number, without quotes.",
    "finite_number": "{field} must be a finite number.",
    "literal_error": "{field} must be one of {expected}.",
    "model_type": "{field} must be a JSON object that names a material by text or formula.",
    "model_attributes_type": "{field} must be a JSON object that names a material by text or formula.",
    "json_invalid": "The body is not valid JSON ({error}).",
}


def _sentence(kind: str, field: str, message: str, context: dict[str, Any]) -> str:
    if kind == "value_error":  # raised by a validator of ours: already a sentence
        return message.removeprefix("Value error, ")
    template = _SENTENCES.get(kind, "{field}: {message}.")
    return template.format(
        field=field or "The body", message=message, **{key: context.get(key, "") for key in ("expected", "error")}
    )


class ProblemMiddleware:
    """Rewrites every error answer that is not yet a problem, the framework's own included.

    BentoML answers validation errors, its exceptions, unknown paths and wrong methods in four different shapes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start: Message | None = None  # the held-back head of an error answer that has to be rewritten
        body = bytearray()
        started = False

        async def rewrite(message: Message) -> None:
            nonlocal start, started
            if message["type"] == "http.response.start" and message["status"] >= 400 and not _is_problem(message):
                start = message
                return
            if start is None:
                started = True
                return await send(message)
            if message["type"] == "http.response.body":
                body.extend(message.get("body", b"")[: MAX_REWRITTEN_BYTES - len(body)])
                if not message.get("more_body", False):
                    started = True
                    await _respond(_translate(start["status"], bytes(body), scope), scope, receive, send, start)

        try:
            await self.app(scope, receive, rewrite)
        except Exception as error:
            if started:
                raise
            if not isinstance(error, IonscoutError):
                logger.exception("%s %s failed", scope["method"], scope["path"])
            await _respond(problem_of(error), scope, receive, send)


async def _respond(content: Problem, scope: Scope, receive: Receive, send: Send, start: Message | None = None) -> None:
    kept = {}
    for name, value in start["headers"] if start else ():
        if name.lower() in (b"allow", b"retry-after"):
            kept[name.decode("latin-1")] = value.decode("latin-1")
    await problem_response(content, kept)(scope, receive, send)


def _translate(status: int, body: bytes, scope: Scope) -> Problem:
    if status == 404:
        return problem(404, f"There is nothing at {scope['path']}; /docs.json lists the routes.")
    if status == 405:
        return problem(405, f"{scope['path']} does not answer {scope['method']}; /docs.json says what it answers.")
    if status >= 500:
        return problem(status, "The service failed on this request; its log says why.")
    try:
        content = json.loads(body)
    except ValueError:
        content = body.decode(errors="replace")
    if isinstance(content, list) and content:
        content = content[0]
    if isinstance(content, dict) and isinstance(content.get("detail"), list) and content["detail"]:
        first = content["detail"][0]
        message = str(first.get("msg", "")).removeprefix("Invalid JSON: ")
        if first.get("type") == "json_invalid":
            return problem(400, f"The body is not valid JSON ({message}).", InvalidRequest.title)
        return problem(status, message, InvalidRequest.title)
    detail = content.get("error") if isinstance(content, dict) else content
    return problem(status, str(detail or _phrase(status)), InvalidRequest.title if status == 400 else None)


def _is_problem(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(MEDIA_TYPE.encode()) for name, value in message["headers"]
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.capitalize()
    except ValueError:
        return "Error"


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _text(detail: str) -> str:
    """One line of valid Unicode: user input is quoted in messages and may hold line breaks or lone surrogates."""
    return " ".join(detail.encode(errors="replace").decode(errors="replace").split())
