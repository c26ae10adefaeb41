"""Keeps a running service on the version that its alias names: loaded beside the old one, then swapped whole."""

import logging
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionscout.models.conductivity.predictor import ConductivityPredictor

TICK = 0.5  # s, within which a wish to look is seen
logger = logging.getLogger("ionscout.models")
_ALIAS = re.compile(r"^models:/(?P<name>[^/@]+)@(?P<alias>[^/@]+)$")


class ModelWatch:
    """Asks the registry every few seconds, and when told to, which version the alias of a model address names.

    A new version is loaded and warmed up in this thread while the old one answers; then one call hands it over. A
    registry that does not answer, or a version that does not load, changes nothing but the log.
    """

    def __init__(
        self,
        uri: str | None,
        seconds: float,
        swap: Callable[["ConductivityPredictor"], None],
        asked: Path | None = None,
    ) -> None:
        """Watch an address, to be made before the model is loaded from it.

        Args:
            uri: `models:/NAME@ALIAS`; anything else names one model for ever and is not watched.
            seconds: between two questions; 0: only when told to.
            swap: is handed the new predictor.
            asked: a file that is touched when it shall look at once.
        """
        self.seconds, self.swap, self.asked = seconds, swap, asked
        self._named = _ALIAS.match(uri or "")
        self._version = self._current() if self.watches else None
        self._failed: str | None = None
        self._seen = self._touched()  # now, not in the thread: what is asked before it runs counts too
        self._ended = threading.Event()

    @property
    def watches(self) -> bool:
        return self._named is not None and (self.seconds > 0 or self.asked is not None)

    def start(self) -> None:
        """Watch from a thread that ends with the process."""
        if self.watches:
            threading.Thread(target=self._run, name="model-watch", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def look(self) -> bool:
        """Ask once; whether another version answers now."""
        from ionscout.training import registry

        assert self._named is not None
        name, version = self._named["name"], self._current()
        if version is None or version in (self._version, self._failed):
            return False
        self._failed = version  # until it has been handed over; a broken one is not loaded again and again
        predictor = registry.load_registered(registry.address(version, name))
        self.swap(predictor)
        logger.info("%s %s answers from now on (version %s of the registry)", name, predictor.version, version)
        self._version, self._failed = version, None
        return True

    def _current(self) -> str | None:
        from ionscout.training import registry
        from ionscout.training.tracking import use_record

        assert self._named is not None
        use_record()
        return registry.version_of(self._named["alias"], self._named["name"])

    def _run(self) -> None:
        tick = min(TICK, self.seconds or TICK)
        due = time.monotonic() + self.seconds
        while not self._ended.wait(tick):
            touched = self._touched()
            told = touched != self._seen
            if not told and (self.seconds == 0 or time.monotonic() < due):
                continue
            self._seen, due = touched, time.monotonic() + self.seconds
            try:
                if told:
                    self._failed = None  # whoever asks may have mended it
                self.look()
            except Exception as error:  # the service answers with what it has, whatever the registry does
                logger.warning("the registry could not be followed: %s", error)

    def _touched(self) -> int | None:
        try:
            return None if self.asked is None else self.asked.stat().st_mtime_ns
        except OSError:
            return None
