"""A client that never stops asking: whether the service drops a request while its champion changes."""

import threading
import time

import httpx

from ionscout.serving.rehearsal.kills import RehearsalFailed

BODY = [{"formula": formula, "thermodynamics": False} for formula in ("Li6PS5Cl", "Li7La3Zr2O12")]
PAUSE = 0.5  # s between two requests: the retraining beside it needs the cores


class Questions:
    """Asks `/predict` in a thread until the block ends; counts what came back.

    Attributes:
        answered, dropped: requests with answer 200, and all others.
        mixed: answers that came from two models at once. versions: of the weights, in the order of appearance.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answered = self.dropped = self.mixed = 0
        self.versions: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Questions":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for(self, version: str, seconds: float = 60.0) -> float:
        """Seconds until `/models` names these weights.

        Raises:
            RehearsalFailed: it does not in time.
        """
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            if self.listed() == version:
                return passed
            time.sleep(0.1)
        raise RehearsalFailed(f"The service still answers with {self.listed()} after {seconds:.0f} s, not {version}.")

    def listed(self) -> str:
        """The version that `/models` names."""
        return str(httpx.get(f"{self.url}/models", timeout=60).json()["models"][0]["version"])

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as http:
            while not self._over.wait(PAUSE):
                try:
                    found = http.post("/predict", json=BODY)
                except httpx.HTTPError:
                    self.dropped += 1
                    continue
                if found.status_code != 200:
                    self.dropped += 1
                    continue
                self.answered += 1
                seen = {p["conductivity"]["version"] for p in found.json()}
                self.mixed += len(seen) > 1
                for version in seen - set(self.versions[-1:]):
                    self.versions.append(version)
