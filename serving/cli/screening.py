"""`ionscout coatings | stability-map | conversion`: what to put between electrolyte and electrode."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionscout.serving.cli.inputs import HullFile, HullOption, Json, Plot, composition_of, hull_of, progress_bar
from ionscout.serving.cli.thermodynamics import print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Composition


def register(app: typer.Typer) -> None:
    app.command("coatings", no_args_is_help=True)(coatings)
    app.command("stability-map", no_args_is_help=True)(stability_map)
    app.command("conversion", no_args_is_help=True)(conversion)


def coatings(
    electrolyte: Annotated[str, typer.Option(help="File, formula or catalogue name.")],
    cathode: Annotated[str, typer.Option(help="Likewise, lithiated: LCO, NMC111, LiFePO4, …")],
    why: Annotated[
        list[str] | None, typer.Option(help="Only say all values of this candidate and what drops it; may be repeated.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder for finished candidates; the same question goes on from there.")
    ] = None,
    above_hull: Annotated[float, typer.Option(min=0, help="Most energy above hull, eV/atom.")] = 0.005,
    band_gap: Annotated[float, typer.Option(min=0, help="Least band gap, eV (PBE).")] = 0.5,
    oxidation: Annotated[float, typer.Option(min=-1, max=8, help="Least oxidation limit, V vs Li/Li+.")] = 4.0,
    reduction: Annotated[float, typer.Option(min=-1, max=8, help="Highest reduction limit, V vs Li/Li+.")] = 2.7,
    reaction: Annotated[float, typer.Option(min=0, help="Strongest reaction allowed, eV per atom of both.")] = 0.1,
    conductivity: Annotated[bool, typer.Option("--conductivity", help="Predict that of the ones that pass.")] = False,
    min_conductivity: Annotated[float | None, typer.Option(min=1e-30, help="Least predicted one, S/cm.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the ranked ones to list.")] = 50,
    hull: HullOption = None,
    hull_file: HullFile = None,
    as_json: Json = False,
) -> None:
    """Which lithium compounds of the hull would keep an electrolyte and a cathode apart; takes minutes."""
    import math

    from ionscout.models.thermo.coating_gates import CoatingOptions
    from ionscout.models.thermo.coatings import screen_coatings
    from ionscout.serving.cli.screening_tables import print_coatings, print_why
    from ionscout.serving.cli.tables import state_hull
    from ionscout.serving.coating_search import assessed, coatings_answer

    a, b, chosen = composition_of(electrolyte), composition_of(cathode), hull_of(hull, hull_file)
    options = CoatingOptions(above_hull, band_gap, oxidation, reduction, reaction)
    asked = assessed(why or [], a, b, chosen, options)
    predicted = _conductivity() if conductivity or min_conductivity is not None else None
    with progress_bar("Candidates", as_json) as step:
        screen = screen_coatings(
            a,
            b,
            chosen,
            options=options if min_conductivity is None
            else replace(options, min_log10_conductivity=math.log10(min_conductivity)),
            conductivity=predicted,
            candidates=[] if asked else None,
            checkpoint=resume,
            progress=step,
        )  # fmt: skip
    screened = len(screen.ranked) + len(screen.dropped)
    answer = coatings_answer(screen, asked, screened, screened, top)
    if as_json:
        return print_json(answer)
    (print_why if asked else print_coatings)(answer)
    state_hull(answer)


def stability_map(
    corners: Annotated[str, typer.Argument(help="Three corners, separated by commas or dashes: Li-Ti-O.")],
    partner: Annotated[str, typer.Option(help="What the compositions touch: file, formula or catalogue name.")],
    threshold: Annotated[float, typer.Option(help="Reaction up to which it counts as stable, eV/atom.")] = 0.05,
    steps: Annotated[int, typer.Option(help="Intervals per side of the triangle, 2 to 100.")] = 20,
    hull: HullOption = None,
    hull_file: HullFile = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Where in a ternary system nothing reacts with a partner, as numbers and as a Gibbs triangle."""
    from ionscout.serving.cli.screening_tables import print_map
    from ionscout.serving.cli.tables import state_hull
    from ionscout.serving.screening_answers import map_answer, map_of

    names = [text.strip() for text in (corners if "," in corners else corners.replace("-", ",")).split(",")]
    chosen = hull_of(hull, hull_file)
    three, other = [composition_of(name) for name in names], composition_of(partner)
    with progress_bar("Compositions", as_json) as step:
        found = map_of(three, other, chosen, steps=steps, threshold=threshold, progress=step)
    answer = map_answer(found)
    if plot is not None:
        from ionscout.serving.triangle_figure import triangle_figure

        triangle_figure(answer, plot)
    if as_json:
        return print_json(answer)
    print_map(answer)
    state_hull(answer)


def conversion(
    additive: Annotated[str, typer.Argument(help="File or formula: Si3N4, AlF3, LiNO3, …")],
    hull: HullOption = None,
    hull_file: HullFile = None,
    as_json: Json = False,
) -> None:
    """What lithium metal makes of an additive, and whether the layer blocks electrons."""
    from ionscout.serving.cli.screening_tables import print_conversion
    from ionscout.serving.cli.tables import state_hull
    from ionscout.serving.screening_answers import conversion_answer

    answer = conversion_answer(composition_of(additive), hull_of(hull, hull_file))
    if as_json:
        return print_json(answer)
    print_conversion(answer)
    state_hull(answer)


def _conductivity() -> "Callable[[Composition], float]":
    """log10(σ / S cm⁻¹) at room temperature from the composition alone."""
    import math

    from ionscout.datasets.composition import formula_text
    from ionscout.datasets.structure import Material
    from ionscout.serving.answers import load_predictor

    predictor = load_predictor()

    def predict(composition: "Composition") -> float:
        material = Material(composition, None, formula_text(composition), "formula")
        return math.log10(predictor.predict([material])[0].conductivity)

    return predict
