"""The coating funnel in portions: a search stops when its time is over and goes on when it is asked again."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import astuple, replace
from threading import Lock

from pymatgen.core import Composition

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls import Hull
from ionscout.models.thermo.coating_gates import Coating, CoatingOptions
from ionscout.models.thermo.coatings import CoatingScreen, Stage, assess_coating, screen_coatings
from ionscout.serving.problems import Overloaded
from ionscout.serving.screening_schemas import (
    CoatingAnswer,
    CoatingsAnswer,
    CoatingsRequest,
    CoatingThresholds,
    StageAnswer,
)
from ionscout.serving.thermo_inputs import hull_named, named_material, reactant

PORTION = 50  # candidates between two looks at the clock: about half a second
KEPT = 4  # searches kept in memory; one holds about 10 MB


class CoatingSearch:
    """One question, as far as it has been answered.

    Args:
        candidates: formulas; all lithium compounds of the hull when None.
    """

    def __init__(
        self,
        electrolyte: Composition,
        cathode: Composition,
        hull: Hull,
        options: CoatingOptions,
        candidates: Sequence[str] | None = None,
    ) -> None:
        self.electrolyte, self.cathode, self.hull, self.options = electrolyte, cathode, hull, options
        self.screened = 0
        self.screen: CoatingScreen = self._judge([])  # refuses a cathode without lithium before anything takes time
        names = hull.compositions("Li") if candidates is None else candidates
        parsed = [composition for composition in map(Composition, dict.fromkeys(names)) if len(composition) > 1]
        # Neighbours share a chemical system, whose linear program then stays warm.
        parsed.sort(key=lambda composition: (sorted(el.symbol for el in composition.elements), composition.formula))
        self.candidates = [composition.formula.replace(" ", "") for composition in parsed]

    @property
    def complete(self) -> bool:
        return self.screened == len(self.candidates)

    def advance(self, seconds: float) -> None:
        """Judge further candidates until all are, or the time is over; at least one portion."""
        end = time.monotonic() + seconds
        while not self.complete:
            portion = self.candidates[self.screened : self.screened + PORTION]
            self.screen = _joined(self.screen, self._judge(portion))
            self.screened += len(portion)
            if time.monotonic() > end:
                return

    def _judge(self, candidates: Sequence[str]) -> CoatingScreen:
        return screen_coatings(self.electrolyte, self.cathode, self.hull, options=self.options, candidates=candidates)


_searches: "OrderedDict[tuple, CoatingSearch]" = OrderedDict()
_busy = Lock()  # one search at a time, so that others always find a free thread and some of the processor


def answer_coatings(asked: CoatingsRequest) -> CoatingsAnswer:
    """Answer one request, going on with an earlier one that asked the same.

    Raises:
        InvalidInput: electrolyte, cathode or a candidate.
        Overloaded: another search is running.
    """
    electrolyte, cathode = reactant(asked.electrolyte), reactant(asked.cathode)
    hull = hull_named(asked.hull)
    options = CoatingOptions(**asked.thresholds.model_dump())
    candidates = asked.candidates and tuple(named_material(text).reduced_formula for text in asked.candidates)
    why = assessed(asked.why, electrolyte, cathode, hull, options)
    key = (electrolyte.formula, cathode.formula, hull.name, hull.version, astuple(options), candidates)
    if not _busy.acquire(blocking=False):
        raise Overloaded("Another coating search is running; ask again in a minute.")
    try:
        if key not in _searches:
            _searches[key] = CoatingSearch(electrolyte, cathode, hull, options, candidates)
        search = _searches[key]
        _searches.move_to_end(key)
        while len(_searches) > KEPT:
            _searches.popitem(last=False)
        search.advance(asked.seconds)
        return coatings_answer(search.screen, why, search.screened, len(search.candidates), asked.top)
    finally:
        _busy.release()


def assessed(
    formulas: Sequence[str], electrolyte: Composition, cathode: Composition, hull: Hull, options: CoatingOptions
) -> list[Coating]:
    """Every value of the candidates asked about; one that the hull cannot answer carries the reason.

    Raises:
        BadFormula, UnsupportedElement: a formula.
        NoLithium: the cathode holds none.
    """
    found = []
    for text in formulas:
        composition = named_material(text)
        try:
            found.append(assess_coating(composition, electrolyte, cathode, hull, options=options))
        except IonscoutError as error:
            found.append(Coating(composition.reduced_formula, failed=("elements",), reason=str(error)))
    return found


def coatings_answer(
    screen: CoatingScreen, why: Sequence[Coating], screened: int, total: int, top: int
) -> CoatingsAnswer:
    """A screen as the service states it."""
    return CoatingsAnswer(
        hull=screen.hull,
        hull_version=screen.hull_version,
        correction=screen.correction,
        electrolyte=screen.electrolyte,
        cathode=screen.cathode,
        charged_cathode=screen.charged_cathode,
        thresholds=CoatingThresholds.model_validate(screen.options),
        complete=screened == total,
        screened=screened,
        total=total,
        passed=len(screen.ranked),
        stages=[StageAnswer.model_validate(stage) for stage in screen.stages],
        ranked=[CoatingAnswer.model_validate(coating) for coating in screen.ranked[:top]],
        why=[CoatingAnswer.model_validate(coating) for coating in why],
    )


def _joined(first: CoatingScreen, second: CoatingScreen) -> CoatingScreen:
    """Two portions of one search."""
    stages = tuple(
        Stage(a.name, a.entered + b.entered, a.passed + b.passed)
        for a, b in zip(first.stages, second.stages, strict=True)
    )
    ranked = sorted((*first.ranked, *second.ranked), key=lambda c: (-(c.worst_reaction or 0.0), c.formula))
    return replace(second, stages=stages, ranked=tuple(ranked), dropped=(*first.dropped, *second.dropped))
