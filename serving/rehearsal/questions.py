"""A client that never stops asking: whether the service drops a request while its champion changes."""

import threading
import time

import httpx

from ionscout.serving.rehearsal.kills import RehearsalFailed
from ionscout.training import registry

BODY = [{"formula": formula, "thermodynamics": False} for formula in ("Li6PS5Cl", "Li7La3Zr2O12")]
PAUSE = 0.5  # s between two requests: the retraining beside it needs the cores


class Questions:
    """Asks `/predict` in a thread until the block ends; counts what came back.

    Attributes:
        answered, dropped: requests with answer 200, and all others.
        mixed: answers that came from two models at once.
        named, versions: (time, version) whenever the registry named another champion than before, and whenever an
            answer came from other weights than the one before; times of the monotonic clock, s.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answered = self.dropped = self.mixed = 0
        self.named: list[tuple[float, str]] = []
        self.versions: list[tuple[float, str]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Questions":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for(self, version: str, seconds: float = 60.0) -> None:
        """Wait until an answer came from these weights.

        Raises:
            RehearsalFailed: none does in time.
        """
        end = time.monotonic() + seconds
        while not self.versions or self.versions[-1][1] != version:
            if time.monotonic() > end:
                raise RehearsalFailed(f"The service still answers with {self.listed()} after {seconds:.0f} s.")
            time.sleep(0.1)

    def seconds_to_serve(self) -> tuple[float, ...]:
        """For every change of the champion: seconds from when the registry was seen to name another one to the first
        answer that was seen to come from it. Both are looked at every `PAUSE`, so this is how exact it is."""
        changes, answers = self.named[1:], self.versions[1:]
        return tuple(round(answer - change, 2) for (change, _), (answer, _) in zip(changes, answers, strict=False))

    def listed(self) -> str:
        """The version that `/models` names."""
        return str(httpx.get(f"{self.url}/models", timeout=60).json()["models"][0]["version"])

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as http:
            while not self._over.wait(PAUSE):
                _add(self.named, str(registry.version_of(registry.CHAMPION)))
                try:
                    found = http.post("/predict", json=BODY)
                except httpx.HTTPError:
                    self.dropped += 1
                    continue
                if found.status_code != 200:
                    self.dropped += 1
                    continue
                self.answered += 1
                seen = [p["conductivity"]["version"] for p in found.json()]
                self.mixed += len(set(seen)) > 1
                _add(self.versions, seen[0])


def _add(changes: list[tuple[float, str]], version: str) -> None:
    if not changes or changes[-1][1] != version:
        changes.append((time.monotonic(), version))
