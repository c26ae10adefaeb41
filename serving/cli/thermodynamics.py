"""`ionscout window | interface | interface-matrix | interphase`: where a solid decomposes, and what it touches."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionscout.serving.cli.inputs import (
    HullFile,
    HullOption,
    Json,
    Plot,
    Voltage,
    composition_of,
    hull_of,
    listed,
    progress_bar,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

ROWS = "Li3PS4,Li6PS5Cl,Li10GeP2S12,Li3YCl6,Li7La3Zr2O12,Li1.3Al0.3Ti1.7(PO4)3"


def register(app: typer.Typer) -> None:
    app.command("window", no_args_is_help=True)(window)
    app.command("interface", no_args_is_help=True)(interface)
    app.command("interface-matrix")(interface_matrix)
    app.command("interphase", no_args_is_help=True)(interphase)


def window(
    inputs: Annotated[list[str], typer.Argument(help="Structure files, formulas or catalogue names.")],
    hull: HullOption = None,
    hull_file: HullFile = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Voltages at which a material is reduced and oxidised, every plateau, and the products.

    The figure is the voltage staircase of one input, or the windows of several beside the electrodes' voltages.
    """
    from ionscout.serving.cli.tables import print_window, state_hull
    from ionscout.serving.thermo_answers import window_answer

    chosen = hull_of(hull, hull_file)
    answers = [window_answer(composition_of(text), chosen) for text in inputs]
    if plot is not None:
        from ionscout.serving.thermo_figures import staircase_figure, window_bars_figure

        _ = staircase_figure(answers[0], plot) if len(answers) == 1 else window_bars_figure(answers, plot)
    if as_json:
        return print_json(answers[0] if len(answers) == 1 else [*answers])
    for answer in answers:
        print_window(answer)
    state_hull(answers[0])


def interface(
    a: Annotated[str, typer.Argument(help="Electrolyte: file, formula or catalogue name.")],
    b: Annotated[str, typer.Argument(help="Lithium, cathode or coating, likewise (Li, LCO, NMC811, LiNbO3, …).")],
    voltage: Voltage = None,
    half: Annotated[
        bool, typer.Option("--half-lithiated", help="Take B half delithiated, as in a charged cell.")
    ] = False,
    hull: HullOption = None,
    hull_file: HullFile = None,
    as_json: Json = False,
) -> None:
    """Worst reaction of two solids along their mixing line, closed or at a voltage."""
    from ionscout.serving.cli.tables import print_interface, state_hull
    from ionscout.serving.thermo_answers import interface_answer

    first, second = composition_of(a), composition_of(b, half=half)
    answer = interface_answer(first, second, hull_of(hull, hull_file), voltage)
    if as_json:
        return print_json(answer)
    print_interface(answer)
    state_hull(answer)


def interface_matrix(
    rows: Annotated[str, typer.Option("--rows", help="Electrolytes, separated by commas.")] = ROWS,
    columns: Annotated[
        str, typer.Option("--columns", help="Partners, separated by commas; anodes, cathodes, coatings: all of a role.")
    ] = "cathodes",
    voltage: Voltage = None,
    half: Annotated[bool, typer.Option("--half-lithiated", help="Add every cathode half delithiated.")] = False,
    hull: HullOption = None,
    hull_file: HullFile = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Worst reactions of many electrolytes with many partners."""
    from ionscout.serving.cli.tables import print_matrix, state_hull
    from ionscout.serving.thermo_answers import matrix_answer
    from ionscout.serving.thermo_inputs import matrix_columns

    across = [composition_of(text) for text in listed(rows)]
    names = [(None if Path(text).exists() else text, composition_of(text)) for text in listed(columns)]
    if not across or not names:
        raise typer.BadParameter("rows and columns need at least one name each")
    down = matrix_columns(names, half=half)
    chosen = hull_of(hull, hull_file)
    with progress_bar("Interfaces", as_json) as step:
        answer = matrix_answer(across, down, chosen, voltage, step)
    if plot is not None:
        from ionscout.serving.thermo_figures import matrix_figure

        matrix_figure(answer, plot)
    if as_json:
        return print_json(answer)
    print_matrix(answer)
    state_hull(answer)


def interphase(
    electrolyte: Annotated[str, typer.Argument(help="File, formula or catalogue name.")],
    against: Annotated[str, typer.Option("--against", help="Lithium, or a cathode by name, formula or file.")] = "Li",
    half: Annotated[bool, typer.Option("--half-lithiated", help="Take the cathode half delithiated.")] = False,
    voltage: Voltage = None,
    threshold: Annotated[float, typer.Option(help="Driving force up to which it counts as stable, eV/atom.")] = 0.05,
    hull: HullOption = None,
    hull_file: HullFile = None,
    as_json: Json = False,
) -> None:
    """Whether the layer that forms is none (stable), stops growing (SEI) or not (MCI), and which products decide it."""
    from ionscout.serving.cli.tables import print_interphase, state_hull
    from ionscout.serving.screening_answers import interphase_answer

    first, second = composition_of(electrolyte), composition_of(against, half=half)
    chosen = hull_of(hull, hull_file)
    answer = interphase_answer(first, second, chosen, charged=half, voltage=voltage, threshold=threshold)
    if as_json:
        return print_json(answer)
    print_interphase(answer)
    state_hull(answer)


def print_json(content: "BaseModel | list[BaseModel]") -> None:
    """One JSON document on stdout, equal to the body of the HTTP answer."""
    import json

    if isinstance(content, list):
        plain: Any = [item.model_dump(mode="json") for item in content]
    else:
        plain = content.model_dump(mode="json")
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False))
