"""A named finding of a scan."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A finding: a fixed name for programs, and a text for clinicians."""

    name: str
    text: str
