"""The policy of promotion, as `configs/promotion.yaml` states it with reasons."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ionscout.training.config import read_config


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RowsPolicy(_Part):
    missing_share: float = Field(ge=0, lt=1, description="Share of the champion's rows that the challenger may lack.")


class AccuracyPolicy(_Part):
    margin: float = Field(ge=0, description="Decades that the upper limit of the difference may reach.")
    improvement: bool = Field(description="Whether the upper limit must lie below 0.")


class FamilyPolicy(_Part):
    rows: int = Field(ge=5, description="Rows from which a family is judged by itself.")
    margin: float = Field(ge=0, description="Decades by which its mean error may rise although it is sure to rise.")
    worst: float = Field(gt=0, description="Decades that the upper limit of the rise of its mean error may reach.")
    missing_share: float = Field(ge=0, lt=1, description="Share of a family's rows that the challenger may lack.")
    missing_rows: int = Field(ge=1, description="Rows from which a family's missing share is looked at.")


class CalibrationPolicy(_Part):
    coverage: tuple[float, float] = Field(description="Share of rows in their interval, lowest and highest.")
    width_ratio: float = Field(gt=0, description="Mean width of the intervals against the champion's.")
    fewest: int = Field(ge=1, description="Rows from which the band applies as it stands.")


class NewDataPolicy(_Part):
    share: float = Field(ge=0, lt=1, description="Share of observed compositions that never train.")
    rows: int = Field(ge=2, description="Held-out observations from which the test applies.")
    margin: float = Field(ge=0, description="Decades by which the mean error on them may rise.")


class PhysicsPolicy(_Part):
    tolerance: float = Field(gt=0, description="Decades between views of one crystal.")
    temperatures: tuple[float, ...] = Field(min_length=2, description="K, rising.")
    materials: int = Field(ge=1, description="Embedded crystals to ask about.")


class LatencyPolicy(_Part):
    seconds: float = Field(gt=0, description="Processor seconds of one crystal.")
    ratio: float = Field(gt=0, description="Against the champion.")


class SizePolicy(_Part):
    megabytes: float = Field(gt=0, description="Weights.")
    ratio: float = Field(gt=0, description="Against the champion.")


class PromotionPolicy(_Part):
    """Everything that decides whether a challenger is promoted."""

    seed: int
    draws: int = Field(ge=200, description="Resamples of the bootstrap.")
    confidence: float = Field(gt=0.5, lt=1, description="Of every one-sided limit.")
    rows: RowsPolicy
    accuracy: AccuracyPolicy
    families: FamilyPolicy
    calibration: CalibrationPolicy
    new_data: NewDataPolicy
    physics: PhysicsPolicy
    latency: LatencyPolicy
    size: SizePolicy


def read_policy(path: Path | None = None) -> PromotionPolicy:
    """Read a policy; None reads the shipped one.

    Raises:
        BadData: the file is missing or a field is unknown or out of range.
    """
    return read_config(PromotionPolicy, path, "promotion")
