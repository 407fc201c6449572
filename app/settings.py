"""Settings from the environment; every one is documented in ``docs/reference/settings.md``."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.fusion.circumstances import Circumstances
from models.fusion.prior import Prior


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
    federation : Path or None
        Folder of the federation that is served from this machine, for retraining between hospitals.
    host, port
        Where the server listens.
    hosts : str
        Names under which browsers reach the application, separated by commas; this machine's own need not be named.
    metrics : bool
        Answer ``/metrics``, to anyone who reaches it.
    session_hours, idle_minutes : float
        Longest life of a session, and of an idle one.
    max_upload_mb : int
        Largest request body; a larger request is cut off.
    workers : int
        Processes that parse uploads and run the models; 0: threads of the server, and no limit on a request.
    request_cpu_s, request_memory_mb : int
        Processor seconds and memory that one request may take in a worker.
    secure_cookies : bool
        Send cookies over TLS only: set it behind a TLS proxy.
    audit_heads : Path or None
        File outside to which the head of the audit's chain is added; see the how-to on the audit.
    scan_valid_days : int
        A scan further than this from the CTG is shown with its date and does not enter the score.
    prior : str
        Prevalence of a pH at or below 7.15: "training", "population", or the hospital's own share.
    nice : {"amended", "2022"}
        Which version of the NICE table grades labour traces.
    hospital : str
        Name of this hospital, under which drift is monitored (earlier: ``FETAL_HEALTH_SITE``, which is still read).
    """

    model_config = SettingsConfigDict(env_prefix="FETAL_HEALTH_", extra="ignore")

    home: Path = Path("var")
    database_url: str | None = Field(None, validation_alias=AliasChoices("DATABASE_URL", "FETAL_HEALTH_DATABASE_URL"))
    data: Path | None = None
    federation: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    hosts: str = ""
    metrics: bool = True
    session_hours: float = 12.0
    idle_minutes: float = 30.0
    max_upload_mb: int = 40
    workers: int = Field(max(2, os.cpu_count() or 1), ge=0, le=256)
    request_cpu_s: int = Field(5, ge=1, le=3600)
    request_memory_mb: int = Field(300, ge=50, le=1_000_000)
    secure_cookies: bool = False
    audit_heads: Path | None = None
    scan_valid_days: int = 28
    prior: str = "training"
    nice: Literal["amended", "2022"] = "amended"
    hospital: str = Field(
        "this-unit",
        min_length=1,
        max_length=80,
        validation_alias=AliasChoices("hospital", "FETAL_HEALTH_HOSPITAL", "FETAL_HEALTH_SITE"),
    )

    @field_validator("prior")
    @classmethod
    def _known_prior(cls, value: str) -> str:
        Prior.parse(value)
        return value

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names of `hosts`."""
        return tuple(name.strip() for name in self.hosts.split(",") if name.strip())

    @property
    def circumstances(self) -> Circumstances:
        """What the hospital decides about an assessment."""
        return Circumstances(Prior.parse(self.prior), self.scan_valid_days, nice=self.nice, hospital=self.hospital)

    @property
    def database(self) -> str:
        """The database address in use."""
        return self.database_url or f"sqlite:///{(self.home / 'fetal-health.db').resolve()}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Read the environment once for each process."""
    return Settings()
