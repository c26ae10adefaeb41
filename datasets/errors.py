"""Typed errors. Each message is one sentence that says what is wrong and what to do about it."""


class IonscoutError(Exception):
    """Base of every error a user can act on. `title` names the kind, `http_status` is what the service answers."""

    title = "ionscout error"
    http_status = 500


class InvalidInput(IonscoutError):
    """The request itself is at fault: a 400 over HTTP, exit 1 in the shell."""

    title = "Invalid input"
    http_status = 400


class UnreadableStructure(InvalidInput):
    title = "Unreadable structure"


class BadFormula(InvalidInput):
    title = "Bad formula"


class NoLithium(InvalidInput):
    title = "No lithium"


class UnsupportedElement(InvalidInput):
    title = "Unsupported element"


class OccupancyAboveOne(InvalidInput):
    title = "Occupancy above 1"


class OverlappingSites(InvalidInput):
    title = "Overlapping sites"


class TooManySites(InvalidInput):
    title = "Too many sites"


class TextTooLarge(InvalidInput):
    title = "Text too large"
    http_status = 413


class OutOfRange(InvalidInput):
    title = "Value out of range"


class UnknownName(InvalidInput):
    """A hull, model, electrode or option that does not exist; the message lists those that do."""

    title = "Unknown name"


class DataUnavailable(IonscoutError):
    """Data that a command needs is not on this machine; the message says how to get it."""

    title = "Data unavailable"
    http_status = 503


class BadData(IonscoutError):
    """A file of measurements, weights or entries does not have the layout it should have."""

    title = "Bad data"
    http_status = 422
