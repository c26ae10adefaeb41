"""The BentoML service: `POST /predict`, `GET /models` and BentoML's own `/livez /readyz /metrics /docs.json`."""

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import bentoml
from pydantic import GetJsonSchemaHandler, RootModel, ValidationError
from pydantic.json_schema import JsonSchemaValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.settings import settings
from ionscout.serving.campaign_schemas import (
    BatchAnswer,
    CampaignAnswer,
    CampaignPredictAnswer,
    CampaignPredictRequest,
    CampaignRequest,
    ExportAnswer,
    NamedRequest,
    ObservationRequest,
    ObservedAnswer,
    StatusAnswers,
    StatusRequest,
    SuggestRequest,
)
from ionscout.serving.dopant_schemas import DopantsAnswer, DopantsRequest
from ionscout.serving.launch import LOOK, give_up
from ionscout.serving.limits import LimitsMiddleware
from ionscout.serving.openapi import completed
from ionscout.serving.problems import ProblemMiddleware, RequestTooLarge, problem_of, problem_response
from ionscout.serving.schemas import ModelCard, ModelList, PredictAnswer, PredictRequest
from ionscout.serving.screening_schemas import (
    CoatingsAnswer,
    CoatingsRequest,
    ConversionAnswer,
    ConversionRequest,
    InterphaseAnswer,
    InterphaseRequest,
    StabilityMapAnswer,
    StabilityMapRequest,
)
from ionscout.serving.thermo_schemas import (
    InterfaceAnswers,
    InterfaceMatrixAnswer,
    InterfaceMatrixRequest,
    InterfaceRequest,
    WindowAnswers,
    WindowRequest,
)

if TYPE_CHECKING:
    from ionscout.models.conductivity.predictor import ConductivityPredictor

# A slow batch must not keep short requests waiting; more threads than this only share the same cores.
THREADS = 4
Item = TypeVar("Item")


class PredictBody(RootModel[Any]):
    """The JSON as it came. The method validates it, so that every error becomes a problem with its position."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler.resolve_ref_schema(handler(PredictRequest.__pydantic_core_schema__))


class Body(RootModel[Any]):
    """The JSON of any other route, likewise; `openapi` states its schema."""


def check_length(items: list[Item]) -> list[Item]:
    """Refuse lists longer than a request may hold."""
    most = settings().max_batch
    if len(items) > most:
        raise RequestTooLarge(f"The list has {len(items)} items, at most {most} are read; send several requests.")
    return items


def answers_problems(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turn typed errors of an API method into problem responses."""

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except (IonscoutError, ValidationError) as error:
            return problem_response(problem_of(error))

    return wrapped


async def models_page(request: Request) -> Response:
    service = bentoml.get_current_service()
    return Response(service.model_list().model_dump_json(), media_type="application/json")


async def docs_page(request: Request) -> Response:
    return JSONResponse(completed(cast(Any, IonScout).openapi_spec.asdict()))


# BentoML's own routes are all POST; what is read with GET is mounted beside them.
pages = Starlette(routes=[Route("/models", models_page), Route("/docs.json", docs_page)])


@bentoml.asgi_app(pages, path="/")
@bentoml.service(
    name="ionscout",
    threads=THREADS,
    workers=int(os.environ.get("IONSCOUT_WORKERS", "1")),
    http={"host": "127.0.0.1", "port": 3000},  # loopback unless somebody asks for more
    traffic={"timeout": 600},  # the limit that answers with a problem is LimitsMiddleware's, which is shorter
    metrics={"enabled": True},
)
class IonScout:
    """Ionic conductivity of lithium solid electrolytes, with intervals, from a crystal structure or a formula."""

    def __init__(self) -> None:
        import torch

        from ionscout.serving.answers import load_predictor
        from ionscout.serving.model_watch import ModelWatch
        from ionscout.serving.monitoring.monitor import Monitor

        # One thread per request: small graphs gain little from more, and requests run side by side.
        torch.set_num_threads(1)
        try:
            seconds, asked = settings().model_poll_seconds, os.environ.get(LOOK)
            self.watch = ModelWatch(settings().model_uri, seconds, self._swap, Path(asked) if asked else None)
            self.predictor = load_predictor()
            self.monitor = Monitor.from_settings()
        except IonscoutError as error:
            give_up(error)
            raise
        self.source = settings().model_uri or "shipped"
        self._warm_up(self.predictor)
        self.watch.start()

    def _swap(self, predictor: "ConductivityPredictor") -> None:
        """Let another model answer. Every request reads `self.predictor` once, so no answer mixes two."""
        self._warm_up(predictor)
        self.predictor = predictor

    def _warm_up(self, predictor: "ConductivityPredictor") -> None:
        """Answer once before `/readyz` says ready: first calls compile and allocate."""
        from ionscout.datasets.structure import parse_material
        from ionscout.serving.answers import answer

        answer(predictor, [parse_material(text) for text in (WARM_UP_POSCAR, "Li6PS5Cl")], [300.0, 300.0])

    def model_list(self) -> ModelList:
        predictor = self.predictor
        card = predictor.card
        model = ModelCard(
            name=str(card.get("name", "conductivity")),
            version=predictor.version,
            source=self.source,
            trained_on=str(card.get("trained_on", "")),
            data_sha256=card.get("data_sha256", {}),
            metrics=card.get("metrics_out_of_fold", {}),
            card=card,
        )
        return ModelList(models=[model])

    @bentoml.api(route="/predict")
    @answers_problems
    def predict(self, body: PredictBody, /) -> PredictAnswer:
        """Predict the ionic conductivity of one crystal or composition, or of a list of them.

        A list is answered whole or not at all: if one item is bad, the problem names its index.
        """
        from ionscout.serving.answers import ThermodynamicsChoice, answer, read_request, read_requests
        from ionscout.serving.thermo_answers import deadline

        started = time.monotonic()
        request = PredictRequest.model_validate(body.root).root
        items = request if isinstance(request, list) else [request]
        check_length(items)
        materials = read_requests(items) if isinstance(request, list) else [read_request(request)]
        choices = [ThermodynamicsChoice(item.thermodynamics, item.hull) for item in items]
        temperatures, explained = [item.temperature_K for item in items], [item.explain for item in items]
        kinds = [item.kind for item in items]
        answers = answer(self.predictor, materials, temperatures, choices, deadline(), explained, kinds)
        self.monitor.predicted(items, answers, time.monotonic() - started)
        return PredictAnswer.model_validate(answers if isinstance(request, list) else answers[0])

    @bentoml.api(route="/window")
    @answers_problems
    def window(self, body: Body, /) -> WindowAnswers:
        """Electrochemical window of one material or of a list: limits, plateaus with products, energies."""
        from ionscout.serving.thermo_answers import answer_each, answer_window

        request = WindowRequest.model_validate(body.root).root
        if not isinstance(request, list):
            return WindowAnswers.model_validate(answer_window(request))
        return WindowAnswers.model_validate(answer_each(check_length(request), answer_window))

    @bentoml.api(route="/interface")
    @answers_problems
    def interface(self, body: Body, /) -> InterfaceAnswers:
        """Worst reaction of two solids, closed or at a voltage, of one pair or of a list."""
        from ionscout.serving.thermo_answers import answer_each, answer_interface

        request = InterfaceRequest.model_validate(body.root).root
        if not isinstance(request, list):
            return InterfaceAnswers.model_validate(answer_interface(request))
        return InterfaceAnswers.model_validate(answer_each(check_length(request), answer_interface))

    @bentoml.api(route="/interface-matrix")
    @answers_problems
    def interface_matrix(self, body: Body, /) -> InterfaceMatrixAnswer:
        """Worst reaction of every row with every column; a pair without an answer says why."""
        from ionscout.serving.thermo_answers import answer_matrix

        return answer_matrix(InterfaceMatrixRequest.model_validate(body.root))

    @bentoml.api(route="/interphase")
    @answers_problems
    def interphase(self, body: Body, /) -> InterphaseAnswer:
        """Whether the layer on lithium or a cathode is none, an SEI or an MCI, and which products decide it."""
        from ionscout.serving.screening_answers import answer_interphase

        return answer_interphase(InterphaseRequest.model_validate(body.root))

    @bentoml.api(route="/coatings")
    @answers_problems
    def coatings(self, body: Body, /) -> CoatingsAnswer:
        """Coatings between an electrolyte and a cathode, screened in portions: ask again until `complete`."""
        from ionscout.serving.coating_search import answer_coatings

        return answer_coatings(CoatingsRequest.model_validate(body.root))

    @bentoml.api(route="/stability-map")
    @answers_problems
    def stability_map(self, body: Body, /) -> StabilityMapAnswer:
        """Reaction energies with a partner over a triangle of compositions."""
        from ionscout.serving.screening_answers import answer_map

        return answer_map(StabilityMapRequest.model_validate(body.root))

    @bentoml.api(route="/conversion")
    @answers_problems
    def conversion(self, body: Body, /) -> ConversionAnswer:
        """What lithium metal makes of an additive, and whether the layer blocks electrons."""
        from ionscout.serving.screening_answers import answer_conversion

        return answer_conversion(ConversionRequest.model_validate(body.root))

    @bentoml.api(route="/dopants")
    @answers_problems
    def dopants(self, body: Body, /) -> DopantsAnswer:
        """Ranked dopants of a host: site, amount, charge compensation, conductivity, stability."""
        from ionscout.serving.dopant_answers import answer_dopants

        return answer_dopants(DopantsRequest.model_validate(body.root), self.predictor)

    @bentoml.api(route="/campaigns")
    @answers_problems
    def campaigns(self, body: Body, /) -> CampaignAnswer:
        """Start a campaign; the same definition again changes nothing."""
        from ionscout.serving.campaign_answers import answer_new, store

        return answer_new(CampaignRequest.model_validate(body.root), store())

    @bentoml.api(route="/campaigns/suggest")
    @answers_problems
    def suggest(self, body: Body, /) -> BatchAnswer:
        """Choose and store the next batch of a campaign."""
        from ionscout.serving.campaign_answers import answer_suggest, default_suggester, store

        asked = SuggestRequest.model_validate(body.root)
        return answer_suggest(asked, store(), default_suggester(self.predictor))

    @bentoml.api(route="/observations")
    @answers_problems
    def observations(self, body: Body, /) -> ObservedAnswer:
        """Store one result: a conductivity, an upper bound, or a failed synthesis."""
        from ionscout.serving.campaign_answers import answer_observe, store

        answer = answer_observe(ObservationRequest.model_validate(body.root), store())
        self.monitor.observed(answer, self.predictor)
        return answer

    @bentoml.api(route="/campaigns/predict")
    @answers_problems
    def campaign_predict(self, body: Body, /) -> CampaignPredictAnswer:
        """Predict materials with what a campaign has observed, and without."""
        from ionscout.serving.campaign_answers import answer_predict, store

        return answer_predict(CampaignPredictRequest.model_validate(body.root), store(), self.predictor)

    @bentoml.api(route="/campaigns/status")
    @answers_problems
    def campaign_status(self, body: Body, /) -> StatusAnswers:
        """How one campaign stands, or all of them."""
        from ionscout.serving.campaign_answers import answer_status, store

        return answer_status(StatusRequest.model_validate(body.root), store())

    @bentoml.api(route="/campaigns/export")
    @answers_problems
    def campaign_export(self, body: Body, /) -> ExportAnswer:
        """Everything that a campaign holds."""
        from ionscout.serving.campaign_answers import answer_export, store

        return answer_export(NamedRequest.model_validate(body.root), store())


# The first one added is the outermost: it also rewrites what the second one lets through.
_service = cast(Any, IonScout)  # the decorator has made a bentoml Service of the class
_service.add_asgi_middleware(ProblemMiddleware)
_service.add_asgi_middleware(LimitsMiddleware, max_body_bytes=settings().max_body_bytes)

WARM_UP_POSCAR = """Li2O
1.0
4.62 0 0
0 4.62 0
0 0 4.62
Li O
8 4
direct
0.25 0.25 0.25
0.75 0.25 0.25
0.25 0.75 0.25
0.25 0.25 0.75
0.75 0.75 0.25
0.75 0.25 0.75
0.25 0.75 0.75
0.75 0.75 0.75
0 0 0
0.5 0.5 0
0.5 0 0.5
0 0.5 0.5
"""
