"""`ionscout campaign new | suggest | observe | predict | status | export`: the loop of a laboratory."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionscout.serving.cli.inputs import Json, Plot
from ionscout.serving.cli.thermodynamics import print_json

if TYPE_CHECKING:
    from pydantic import BaseModel

Name = Annotated[str, typer.Argument(help="Name of the campaign.")]
Store = Annotated[
    str | None, typer.Option("--store", help="SQLite file or postgresql+psycopg://…; default: IONSCOUT_STORE.")
]
Key = Annotated[str | None, typer.Option("--key", help="Your own key; the same request again changes nothing.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Campaigns: what to make next, and what came of it.", no_args_is_help=True)
    group.command("new", no_args_is_help=True)(new)
    group.command("suggest", no_args_is_help=True)(suggest)
    group.command("observe", no_args_is_help=True)(observe)
    group.command("predict", no_args_is_help=True)(predict)
    group.command("status")(status)
    group.command("export", no_args_is_help=True)(export)
    app.add_typer(group, name="campaign")


def new(
    name: Name,
    host: Annotated[list[str], typer.Option("--host", help="Formula to dope, e.g. Li7La3Zr2O12; may be repeated.")],
    objective: Annotated[
        list[str] | None, typer.Option(help="NAME, NAME:minimise or NAME:maximise:WEIGHT; may be repeated.")
    ] = None,
    constraint: Annotated[list[str] | None, typer.Option(help="NAME>=VALUE or NAME<=VALUE; may be repeated.")] = None,
    elements: Annotated[str | None, typer.Option(help="Dopants to consider, e.g. Al,Ga,Ta; default: all.")] = None,
    exclude: Annotated[str | None, typer.Option(help="Dopants to leave out.")] = None,
    candidates: Annotated[
        Path | None, typer.Option(help="Text file of formulas to choose from, one a line, instead of doping.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="Acquisition: ucb (default), ei or thompson.")] = None,
    dial: Annotated[float | None, typer.Option(min=0, max=1, help="0 exploits, 1 explores; default 0.4.")] = None,
    diversity: Annotated[float | None, typer.Option(min=0, help="Price of likeness in a batch; default 0.5.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", "-T", help="Of the comparison, kelvin.")] = 298.15,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Start a campaign. The same definition again is no error and changes nothing."""
    from ionscout.serving import campaign_answers as answers
    from ionscout.serving.campaign_inputs import asked, constraint_of, formulas_of, objective_of
    from ionscout.serving.campaign_schemas import CampaignRequest

    options: dict[str, Any] = {"method": method, "dial": dial, "diversity": diversity}
    options |= {"elements": _symbols(elements), "excluded": _symbols(exclude)}
    options["candidates"] = None if candidates is None else formulas_of(candidates)
    request = asked(
        CampaignRequest,
        name=name,
        hosts=host,
        objectives=[objective_of(text) for text in objective or ()],
        constraints=[constraint_of(text) for text in constraint or ()],
        temperature_K=temperature,
        seed=seed,
        options={key: value for key, value in options.items() if value is not None},
    )
    answer = answers.answer_new(request, answers.store(store))
    _show(answer, as_json, f"Campaign {answer.name} on {', '.join(answer.hosts)} is in {answers.store(store)}")


def suggest(
    name: Name,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="At most this many.")] = 5,
    key: Key = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """The next batch worth making, stored with the model version that suggested it; may take a minute."""
    from rich.console import Console

    from ionscout.serving import campaign_answers as answers
    from ionscout.serving.answers import load_predictor
    from ionscout.serving.campaign_inputs import asked
    from ionscout.serving.campaign_schemas import SuggestRequest
    from ionscout.serving.cli.campaign_tables import print_batch
    from ionscout.training.active.advisor import Advisor

    request, where = asked(SuggestRequest, campaign=name, n=n, key=key), answers.store(store)
    where.campaign(name)  # an unknown name is said before the model is loaded
    console = Console(stderr=True, quiet=as_json or not Console(stderr=True).is_terminal)
    with console.status("Predicting the candidates"):
        answer = answers.answer_suggest(request, where, Advisor(load_predictor()))
    if as_json:
        return print_json(answer)
    print_batch(answer)


def observe(
    name: Name,
    formula: Annotated[str | None, typer.Argument(help="What was made; may be left out with --suggestion.")] = None,
    value: Annotated[float | None, typer.Option("--value", help="Conductivity, in --unit.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="S/cm, mS/cm or S/m.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", "-T", help="Kelvin; default 298.15.")] = None,
    celsius: Annotated[float | None, typer.Option("--celsius", "-C", help="Instead of --temperature.")] = None,
    kind: Annotated[str, typer.Option(help="total, bulk or unknown.")] = "unknown",
    below: Annotated[bool, typer.Option("--below", help="The conductivity is below the value.")] = False,
    failed: Annotated[str | None, typer.Option("--failed", help="The synthesis failed, and how.")] = None,
    suggestion: Annotated[int | None, typer.Option(help="Id of the suggestion that this answers.")] = None,
    cif: Annotated[Path | None, typer.Option(help="CIF of the sample.")] = None,
    who: Annotated[str, typer.Option(help="Who measured.")] = "",
    when: Annotated[str, typer.Option(help="When, e.g. 2026-11-20.")] = "",
    source: Annotated[str, typer.Option(help="DOI or another source.")] = "",
    key: Key = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Store one result: a conductivity, an upper bound, or a failed synthesis."""
    from ionscout.serving import campaign_answers as answers
    from ionscout.serving.campaign_inputs import asked
    from ionscout.serving.campaign_schemas import ObservationRequest
    from ionscout.serving.cli.campaign_tables import observed_line

    request = asked(
        ObservationRequest,
        campaign=name,
        key=key,
        formula=formula,
        value=value,
        unit=unit,
        temperature_K=temperature,
        temperature_C=celsius,
        kind=kind,
        censored=below,
        failed=failed is not None,
        reason=failed or "",
        suggestion=suggestion,
        cif=None if cif is None else cif.read_text(encoding="utf-8", errors="replace"),
        measured_by=who,
        measured_on=when,
        source=source,
    )
    answer = answers.answer_observe(request, answers.store(store))
    _show(answer, as_json, observed_line(answer))


def predict(
    name: Name,
    inputs: Annotated[list[str], typer.Argument(help="Formulas or structure files.")],
    temperature: Annotated[float, typer.Option("--temperature", "-T", help="Kelvin.")] = 298.15,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Conductivity with what the campaign has observed, beside that of the model alone."""
    from ionscout.serving import campaign_answers as answers
    from ionscout.serving.answers import load_predictor
    from ionscout.serving.campaign_inputs import asked, material_of
    from ionscout.serving.campaign_schemas import CampaignPredictRequest
    from ionscout.serving.cli.campaign_tables import print_predictions

    materials = [material_of(text) for text in inputs]
    request = asked(CampaignPredictRequest, campaign=name, materials=materials, temperature_K=temperature)
    where = answers.store(store)
    where.campaign(name)
    answer = answers.answer_predict(request, where, load_predictor())
    if as_json:
        return print_json(answer)
    print_predictions(answer)


def status(
    name: Annotated[str | None, typer.Argument(help="Name of the campaign; all when left out.")] = None,
    plot: Plot = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Rounds, counts, the best so far, and the suggestions that nobody has answered; the figure shows one campaign."""
    from ionscout.datasets.observations.records import BadCampaign
    from ionscout.serving import campaign_answers as answers
    from ionscout.serving.campaign_schemas import StatusRequest
    from ionscout.serving.cli.campaign_tables import print_status

    where = answers.store(store)
    answer = answers.answer_status(StatusRequest(campaign=name), where)
    if plot is not None:
        from ionscout.serving.campaign_figure import history_figure

        if name is None or not answer.campaigns[0].history:
            raise BadCampaign("A figure shows the observations of one campaign; name one that has some.")
        history_figure(answer.campaigns[0], plot)
    if as_json:
        return print_json(answer)
    print_status(answer, str(where))


def export(
    name: Name,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="CSV to write; structures go to cifs/ there.")] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """The observations as a CSV that `ionscout evaluate` reads, or everything as JSON."""
    from ionscout.serving import campaign_answers as answers
    from ionscout.serving.campaign_schemas import NamedRequest
    from ionscout.serving.cli.tables import warn
    from ionscout.training.active import export as exporting

    where = answers.store(store)
    found = exporting.export(where, name)
    written = found.write(out) if out is not None else []
    if as_json:
        return print_json(answers.answer_export(NamedRequest(campaign=name), where))
    typer.echo("\n".join(str(path) for path in written) if written else found.csv().rstrip("\n"))
    if found.failed:
        warn([f"Failed syntheses ({found.failed}) have no conductivity: only --json has them."])


def _symbols(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _show(answer: "BaseModel", as_json: bool, line: str) -> None:
    if as_json:
        return print_json(answer)
    typer.echo(line)
