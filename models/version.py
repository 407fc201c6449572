"""The version of this code, as bundles and assessments name it."""

from importlib.metadata import PackageNotFoundError, version


def code_version() -> str:
    """The installed version, or ``"unknown"`` when run from a tree that is not installed."""
    try:
        return version("fetal-health")
    except PackageNotFoundError:
        return "unknown"
