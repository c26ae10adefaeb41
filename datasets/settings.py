"""Settings from the environment: one class, one prefix (`IONSCOUT_`), every field described."""

from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_dir, user_data_dir
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ionscout.datasets.errors import BadData

_CHECKOUT = Path(__file__).resolve().parents[1]


def _default_home() -> Path:
    """The checkout when running from one (its `mlruns/` holds the record), else the user's data folder."""
    return _CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() else Path(user_data_dir("ionscout"))


class Settings(BaseSettings):
    """Where ionscout finds data and keeps its records."""

    model_config = SettingsConfigDict(env_prefix="IONSCOUT_", env_ignore_empty=True)

    data_dir: Path | None = Field(None, description="Folder with the larger data sets (obelix/, mp_snapshot/, …).")
    cache_dir: Path = Field(Path(user_cache_dir("ionscout")), description="Where downloaded data is kept.")
    home: Path = Field(default_factory=_default_home, description="Folder that holds mlruns/.")
    model_uri: str | None = Field(
        None, description="MLflow model to serve, e.g. models:/conductivity@champion; default: the shipped weights."
    )
    model_poll_seconds: float = Field(
        10.0, ge=0, description="How often a service looks whether its alias moved; 0: on SIGUSR1 only."
    )
    store: str | None = Field(
        None,
        description="Observation store: a SQLite file or postgresql+psycopg://…; default: in the user's data folder.",
    )
    max_body_bytes: int = Field(4_000_000, gt=0, description="Largest HTTP request body that is read.")
    max_batch: int = Field(256, gt=0, description="Most crystals in one /predict request.")

    @field_validator("data_dir", "cache_dir", "home")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().resolve()


@lru_cache
def settings() -> Settings:
    """Return the settings, read once; `settings.cache_clear()` reads them again."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"IONSCOUT_{first['loc'][0]}".upper()
        raise BadData(f"The environment variable {name} is wrong: {first['msg']}.") from None
