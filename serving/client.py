"""The Python client: one class over the HTTP service, typed answers, typed errors."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import httpx

from ionscout.datasets.errors import IonscoutError
from ionscout.serving.campaign_client import CampaignCalls
from ionscout.serving.dopant_schemas import DopantsAnswer
from ionscout.serving.problems import MEDIA_TYPE, Problem
from ionscout.serving.schemas import CrystalRequest, ModelList, Prediction
from ionscout.serving.screening_schemas import CoatingsAnswer, InterphaseAnswer
from ionscout.serving.thermo_schemas import InterfaceAnswer, InterfaceMatrixAnswer, WindowAnswer


def given(body: dict[str, Any]) -> dict[str, Any]:
    """A request without the fields that were left out."""
    return {key: value for key, value in body.items() if value is not None}


class ServiceError(IonscoutError):
    """The service answered with a problem; `problem` has its title, status, detail and index."""

    title = "Service error"

    def __init__(self, problem: Problem) -> None:
        place = "" if problem.index is None else f" (item {problem.index})"
        super().__init__(f"{problem.detail}{place}")
        self.title, self.http_status, self.problem = problem.title, problem.status, problem


class ServiceUnreachable(IonscoutError):
    """No service answers at the address."""

    title = "Service unreachable"
    http_status = 503


class Client(CampaignCalls):
    """Talks to a running ionscout service.

    >>> with Client("http://127.0.0.1:3000") as client:            # doctest: +SKIP
    ...     client.predict(formula="Li6PS5Cl").conductivity.value
    """

    def __init__(self, url: str = "http://127.0.0.1:3000", timeout: float = 90.0) -> None:
        """Args: url: where the service listens. timeout: seconds to wait for one answer."""
        self._http = httpx.Client(base_url=url, timeout=timeout)

    def predict(
        self,
        *,
        text: str | None = None,
        format: str | None = None,
        formula: str | None = None,
        temperature_K: float | None = None,
        kind: str | None = None,
        thermodynamics: bool | None = None,
        hull: str | None = None,
        explain: bool | None = None,
    ) -> Prediction:
        """Predict one material, from the text of a structure file or from a formula.

        Args:
            text: content of a CIF, POSCAR or pymatgen JSON (not a path).
            format: `cif`, `poscar` or `json`; recognised from the text when None.
            formula: chemical formula, instead of `text`.
            temperature_K: temperature in kelvin; 298.15 when None.
            kind: `total` conductivity (when None), or `bulk`, that inside the grains.
            thermodynamics: False leaves out window, energy above hull and interphase.
            hull: hull for these; the service's default when None.
            explain: True adds why; takes about a second.

        Raises:
            ServiceError: with the problem the service found.
            ServiceUnreachable: when nothing answers.
        """
        body = {
            "text": text,
            "format": format,
            "formula": formula,
            "temperature_K": temperature_K,
            "kind": kind,
            "thermodynamics": thermodynamics,
            "hull": hull,
            "explain": explain,
        }
        return Prediction.model_validate(self._call("POST", "/predict", given(body)))

    def predict_many(self, items: Sequence[CrystalRequest | dict[str, Any]]) -> list[Prediction]:
        """Predict a list in one request; the order is kept.

        Raises:
            ServiceError: if one item is bad, none is answered; `problem.index` says which.
            ServiceUnreachable: when nothing answers.
        """
        body = [
            item.model_dump(exclude_unset=True) if isinstance(item, CrystalRequest) else dict(item) for item in items
        ]
        return [Prediction.model_validate(answer) for answer in self._call("POST", "/predict", body)]

    def window(
        self, formula: str | None = None, *, text: str | None = None, format: str | None = None, hull: str | None = None
    ) -> WindowAnswer:
        """Electrochemical window of a formula or of the text of a structure file.

        Raises:
            ServiceError, ServiceUnreachable.
        """
        body = {"formula": formula, "text": text, "format": format, "hull": hull}
        return WindowAnswer.model_validate(self._call("POST", "/window", given(body)))

    def interface(
        self,
        a: str | dict[str, Any],
        b: str | dict[str, Any],
        *,
        voltage: float | None = None,
        half_lithiated: bool = False,
        hull: str | None = None,
    ) -> InterfaceAnswer:
        """Worst reaction of two solids.

        Args:
            a, b: formula, catalogue name, or an object with `formula` or `text` (and `format`).
            voltage: V vs Li/Li+ of a lithium reservoir; closed system when None.
            half_lithiated: take `b` half delithiated.

        Raises:
            ServiceError, ServiceUnreachable.
        """
        body = {"a": a, "b": b, "voltage": voltage, "half_lithiated": half_lithiated, "hull": hull}
        return InterfaceAnswer.model_validate(self._call("POST", "/interface", given(body)))

    def interface_matrix(
        self,
        rows: Sequence[str | dict[str, Any]],
        columns: Sequence[str | dict[str, Any]],
        *,
        voltage: float | None = None,
        half_lithiated: bool = False,
        hull: str | None = None,
    ) -> InterfaceMatrixAnswer:
        """Worst reactions of all pairs; as `interface`, but `half_lithiated` adds the charged columns to the others.

        Raises:
            ServiceError, ServiceUnreachable.
        """
        body = {
            "rows": list(rows),
            "columns": list(columns),
            "voltage": voltage,
            "half_lithiated": half_lithiated,
            "hull": hull,
        }
        return InterfaceMatrixAnswer.model_validate(self._call("POST", "/interface-matrix", given(body)))

    def interphase(self, electrolyte: str | dict[str, Any], **options: Any) -> InterphaseAnswer:
        """Class of the interphase; options as in `InterphaseRequest` (against, half_lithiated, voltage, hull, …).

        Raises:
            ServiceError, ServiceUnreachable.
        """
        answer = self._call("POST", "/interphase", given({"electrolyte": electrolyte, **options}))
        return InterphaseAnswer.model_validate(answer)

    def coatings(
        self, electrolyte: str | dict[str, Any], cathode: str | dict[str, Any], **options: Any
    ) -> CoatingsAnswer:
        """One portion of the coating funnel; call again until `complete`. Options as in `CoatingsRequest`.

        Raises:
            ServiceError, ServiceUnreachable.
        """
        body = given({"electrolyte": electrolyte, "cathode": cathode, **options})
        return CoatingsAnswer.model_validate(self._call("POST", "/coatings", body))

    def dopants(self, formula: str | None = None, *, text: str | None = None, **options: Any) -> DopantsAnswer:
        """Ranked dopants of a host; options as in `DopantsRequest` (elements, cathode, constraints, scan, …).

        Raises:
            ServiceError, ServiceUnreachable.
        """
        body = given({"formula": formula, "text": text, **options})
        return DopantsAnswer.model_validate(self._call("POST", "/dopants", body))

    def models(self) -> ModelList:
        """The models that answer, with their cards."""
        return ModelList.model_validate(self._call("GET", "/models"))

    def ready(self) -> bool:
        """Whether the service is up and has its models loaded."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: str, route: str, body: Any = None) -> Any:
        try:
            response = self._http.request(method, route, json=body)
        except httpx.HTTPError as error:
            raise ServiceUnreachable(
                f"No answer from {self._http.base_url} ({error or type(error).__name__}); is `ionscout serve` running?"
            ) from None
        if response.is_success:
            return response.json()
        if response.headers.get("content-type", "").startswith(MEDIA_TYPE):
            raise ServiceError(Problem.model_validate(response.json()))
        raise ServiceUnreachable(
            f"{self._http.base_url} answered {response.status_code} and is not an ionscout service."
        )
