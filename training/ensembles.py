"""Fit the networks of an ensemble side by side, wherever fits run."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from torch import Tensor

from ionscout.models.conductivity.ensemble import ConductivityEnsemble
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training.config import ConductivityConfig
from ionscout.training.engines import Engine
from ionscout.training.examples import Examples
from ionscout.training.fit import FittedNetwork, fit_network


@dataclass(frozen=True)
class StartedEnsemble:
    """An ensemble whose networks are being fitted."""

    config: ConductivityConfig
    fits: list[Future[FittedNetwork]]

    def result(self) -> tuple[ConductivityEnsemble, list[FittedNetwork]]:
        """Wait for the ensemble and the course of each fit.

        Raises:
            BadData: a fit diverged; FitStopped: a worker was lost.
        """
        fits = [fit.result() for fit in self.fits]
        return ensemble_of(self.config.network, fits), fits


def start_ensemble(
    training: Examples,
    config: ConductivityConfig,
    seed: int,
    engine: Engine,
    on_fit: Callable[[], None] = lambda: None,
    initial: Mapping[str, Tensor] | None = None,
) -> StartedEnsemble:
    """Start the fits of `config.members` networks with successive seeds; `on_fit` is called after each.

    `initial` holds weights to start from, see `fit_network`.
    """
    shared = engine.share((training, config, initial))
    fits = [engine.submit(_fit, shared, seed + member) for member in range(config.members)]
    for fit in fits:
        fit.add_done_callback(lambda _: on_fit())
    return StartedEnsemble(config, fits)


def ensemble_of(shape: NetworkConfig, fits: Sequence[FittedNetwork]) -> ConductivityEnsemble:
    """Fitted networks of one shape as an ensemble."""
    ensemble = ConductivityEnsemble(shape, len(fits))
    for network, fitted in zip(ensemble.members, fits, strict=True):
        network.load_state_dict(fitted.state)
    return ensemble.eval()


def _fit(shared: tuple[Examples, ConductivityConfig, Mapping[str, Tensor] | None], seed: int) -> FittedNetwork:
    training, config, initial = shared
    return fit_network(training, config, seed, initial=initial)
