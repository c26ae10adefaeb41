"""Completes the OpenAPI page that BentoML writes: pages read with GET, the schemas of requests, the problem format."""

import inspect
from importlib.metadata import version
from typing import Any

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
from ionscout.serving.problems import MEDIA_TYPE, Problem
from ionscout.serving.schemas import ModelList, PredictAnswer, PredictRequest
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

_REF = "#/components/schemas/{model}"
_PROBLEM_STATUSES = {
    "400": "The request or the material is at fault.",
    "404": "There is no such campaign or suggestion.",
    "409": "The key or name belongs to something else.",
    "413": "The body, text or list is too large.",
    "415": "The body is not JSON.",
    "500": "The service failed.",
    "503": "The service is overloaded, or the request took too long.",
}


def completed(page: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI page with what BentoML leaves out or flattens away."""
    page["info"] = {"title": "ionscout", "version": version("ionscout"), "description": page["info"]["description"]}
    schemas: dict[str, Any] = {}
    page["components"]["schemas"] = schemas  # BentoML's own error shapes never leave this service
    models, problem = (_register(schemas, model) for model in (ModelList, Problem))
    problems = {
        status: {"description": text, "content": {MEDIA_TYPE: {"schema": problem}}}
        for status, text in _PROBLEM_STATUSES.items()
    }
    for path, (request, answer) in _BODIES.items():
        route = page["paths"][path]["post"]
        route["description"] = inspect.cleandoc(route["description"])
        content = {"schema": _register(schemas, request), "examples": _EXAMPLES[path]}
        route["requestBody"] = {"required": True, "content": {"application/json": content}}
        route["responses"] = {"200": _ok(_register(schemas, answer)), **problems}
    page["paths"]["/models"] = {
        "get": {
            "tags": page["paths"]["/predict"]["post"].get("tags", []),
            "description": "The models that answer: name, version, data hashes and metrics.",
            "operationId": "ionscout__models",
            "responses": {"200": _ok(models), "500": problems["500"]},
        }
    }
    return page


def _register(schemas: dict[str, Any], model: type) -> dict[str, str]:
    schema = model.model_json_schema(ref_template=_REF)  # type: ignore[attr-defined]
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": _REF.format(model=model.__name__)}


def _ok(schema: dict[str, str]) -> dict[str, Any]:
    return {"description": "The answer.", "content": {"application/json": {"schema": schema}}}


_BODIES: dict[str, tuple[type, type]] = {
    "/predict": (PredictRequest, PredictAnswer),
    "/window": (WindowRequest, WindowAnswers),
    "/interface": (InterfaceRequest, InterfaceAnswers),
    "/interface-matrix": (InterfaceMatrixRequest, InterfaceMatrixAnswer),
    "/interphase": (InterphaseRequest, InterphaseAnswer),
    "/coatings": (CoatingsRequest, CoatingsAnswer),
    "/stability-map": (StabilityMapRequest, StabilityMapAnswer),
    "/conversion": (ConversionRequest, ConversionAnswer),
    "/dopants": (DopantsRequest, DopantsAnswer),
    "/campaigns": (CampaignRequest, CampaignAnswer),
    "/campaigns/suggest": (SuggestRequest, BatchAnswer),
    "/campaigns/predict": (CampaignPredictRequest, CampaignPredictAnswer),
    "/campaigns/status": (StatusRequest, StatusAnswers),
    "/campaigns/export": (NamedRequest, ExportAnswer),
    "/observations": (ObservationRequest, ObservedAnswer),
}

_EXAMPLES: dict[str, Any] = {
    "/predict": {
        "formula": {"summary": "A composition", "value": {"formula": "Li6PS5Cl"}},
        "bulk": {"summary": "Inside the grains", "value": {"formula": "Li7La3Zr2O12", "kind": "bulk"}},
        "explained": {"summary": "With the reasons", "value": {"formula": "Li6PS5Cl", "explain": True}},
        "list": {
            "summary": "A list, at 60 °C",
            "value": [
                {"formula": "Li3PS4", "temperature_K": 333.15},
                {"formula": "Li7La3Zr2O12", "temperature_K": 333.15},
            ],
        },
    },
    "/window": {
        "formula": {"summary": "A composition", "value": {"formula": "Li6PS5Cl"}},
        "offline": {"summary": "On the predicted hull", "value": {"formula": "Li7La3Zr2O12", "hull": "learned"}},
    },
    "/interface": {
        "closed": {
            "summary": "With a charged cathode",
            "value": {"a": "Li6PS5Cl", "b": "NMC811", "half_lithiated": True},
        },
        "voltage": {"summary": "At 4.2 V", "value": {"a": "Li3PS4", "b": "LiNbO3", "voltage": 4.2}},
    },
    "/interface-matrix": {
        "coatings": {"summary": "Two by two", "value": {"rows": ["Li3PS4", "Li6PS5Cl"], "columns": ["LiNbO3", "LCO"]}},
    },
    "/interphase": {"lithium": {"summary": "Against lithium", "value": {"electrolyte": "Li10GeP2S12"}}},
    "/coatings": {"sulfide": {"summary": "For a sulfide", "value": {"electrolyte": "Li3PS4", "cathode": "NMC111"}}},
    "/stability-map": {
        "garnet": {"summary": "Li-Ti-O", "value": {"corners": ["Li", "Ti", "O"], "partner": "Li7La3Zr2O12"}}
    },
    "/dopants": {
        "halides": {"summary": "Halides of an argyrodite", "value": {"formula": "Li6PS5Cl", "elements": ["Cl", "Br"]}},
    },
    "/campaigns": {"garnet": {"summary": "Dopants of LLZO", "value": {"name": "garnet", "hosts": ["Li7La3Zr2O12"]}}},
    "/campaigns/suggest": {"five": {"summary": "Five to make", "value": {"campaign": "garnet", "n": 5}}},
    "/campaigns/predict": {
        "two": {
            "summary": "Two neighbours",
            "value": {"campaign": "garnet", "materials": ["Li6.25Ga0.25La3Zr2O12", "Li2O"]},
        },
    },
    "/campaigns/status": {"one": {"summary": "One campaign", "value": {"campaign": "garnet"}}},
    "/campaigns/export": {"one": {"summary": "One campaign", "value": {"campaign": "garnet"}}},
    "/observations": {
        "measured": {
            "summary": "A measured conductivity",
            "value": {
                "campaign": "garnet",
                "formula": "Li6.4Ga0.2La3Zr2O12",
                "value": 1.3,
                "unit": "mS/cm",
                "temperature_C": 25,
                "key": "2026-11-20/17",
            },
        },
        "failed": {
            "summary": "A failed synthesis",
            "value": {"campaign": "garnet", "suggestion": 3, "failed": True, "reason": "La2Zr2O7 formed"},
        },
    },
    "/conversion": {"nitride": {"summary": "A nitride", "value": {"additive": "Si3N4"}}},
}
