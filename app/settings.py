"""Settings from the environment; every one is documented in ``docs/settings.md``."""

from functools import lru_cache
from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an installation may decide.

    Attributes
    ----------
    home : Path
        Where database, bundles, runs and backups live.
    database_url : str or None
        SQLAlchemy address; None is SQLite in `home`.
    data : Path or None
        Folder with the data sets, for retraining and evaluation.
    host, port
        Where the server listens.
    session_hours, idle_minutes : float
        Longest life of a session, and of an idle one.
    max_upload_mb : int
        Largest request body; the connection is cut when it is passed.
    secure_cookies : bool
        Send cookies over TLS only: set it behind a TLS proxy.
    scan_valid_days : int
        A scan older than this beside a CTG is shown with its date, and does not enter fusion.
    """

    model_config = SettingsConfigDict(env_prefix="FETAL_HEALTH_", extra="ignore")

    home: Path = Path("var")
    database_url: str | None = Field(None, validation_alias=AliasChoices("DATABASE_URL", "FETAL_HEALTH_DATABASE_URL"))
    data: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    session_hours: float = 12.0
    idle_minutes: float = 30.0
    max_upload_mb: int = 40
    secure_cookies: bool = False
    scan_valid_days: int = 28

    @property
    def database(self) -> str:
        """The address in use."""
        return self.database_url or f"sqlite:///{(self.home / 'fetal-health.db').resolve()}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Read once a process."""
    return Settings()
