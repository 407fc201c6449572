"""The version of this code, which bundles and assessments record. It is stated in `pyproject.toml` only."""

from importlib.metadata import PackageNotFoundError, version


def code_version() -> str:
    """The version of the installed package, or ``"unknown"`` when the code runs without being installed."""
    try:
        return version("fetal-health")
    except PackageNotFoundError:
        return "unknown"
