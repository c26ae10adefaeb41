"""What a rehearsal works with: which data, which configuration, which gate."""

from dataclasses import dataclass

from ionscout.training.conductivity import TrainingData, training_data
from ionscout.training.config import ConductivityConfig, as_yaml, changed, read_config
from ionscout.training.promotion.policy import PromotionPolicy, read_policy

# Of the reduced rehearsal: seconds a training instead of minutes. The Gaussian process, which decides most of the
# answer, is the shipped one.
SMALLER = (("members", 1), ("epochs", 8), ("workers", 1))
# The embedded set has no family of 20 rows, so smaller ones have to be judged by themselves.
FAMILY_ROWS = 10


@dataclass(frozen=True)
class Plan:
    """One way to rehearse.

    Attributes:
        tables: whether all tables of this machine take part, or the embedded set alone.
        words: how this differs from what `ionscout retrain conductivity` does by itself.
    """

    tables: bool
    config: ConductivityConfig
    policy: PromotionPolicy
    words: str

    def data(self) -> TrainingData:
        """The rows, read in the surroundings of the rehearsal."""
        return training_data()

    def files(self) -> dict[str, str]:
        """Configuration and policy as the files that the command takes."""
        return {"config": as_yaml(self.config), "policy": as_yaml(self.policy)}


def reduced() -> Plan:
    """The embedded set, one small ensemble member, some minutes."""
    policy = read_policy()
    families = policy.families.model_copy(update={"rows": FAMILY_ROWS})
    config = changed(read_config(ConductivityConfig, None, "conductivity"), SMALLER)
    fields = ", ".join(f"{name} {value}" for name, value in SMALLER)
    words = (
        f"Reduced: the embedded set alone, {fields}, families judged from {FAMILY_ROWS} rows; the rest of "
        "configuration and gate as shipped."
    )
    return Plan(False, config, policy.model_copy(update={"families": families}), words)


def full() -> Plan:
    """Every table of this machine, configuration and gate as shipped; more than an hour."""
    config = read_config(ConductivityConfig, None, "conductivity")
    return Plan(True, config, read_policy(), "Full: every table here, configuration and gate as shipped.")
