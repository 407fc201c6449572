"""What a job works with: settings, database and bundles. A server has one, and so has each of its workers."""

from functools import lru_cache

from app.bundles.service import BundleRegistry
from app.database import make_engine, session_factory
from app.identity import key_of
from app.settings import Settings


class Workplace:
    """Settings, database and bundles of one installation, in one process.

    Attributes
    ----------
    settings : Settings
    engine : Engine
    sessions : sessionmaker
    bundles : BundleRegistry
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = make_engine(settings.database)
        self.sessions = session_factory(self.engine)
        self.bundles = BundleRegistry(settings.home, self.sessions)

    @property
    def identity_key(self) -> bytes:
        """Key of the marks of identities in files."""
        return key_of(self.settings.home)


@lru_cache(maxsize=1)
def of_process(settings: str) -> Workplace:
    """The workplace of a worker process, from the JSON of its settings."""
    return Workplace(Settings.model_validate_json(settings))
