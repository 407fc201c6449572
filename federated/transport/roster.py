"""Which sites are still in a run.

A site that fails or does not answer leaves the run, as long as the plan's minimum number of sites is left. It does not
come back in this run, because it has missed trees or weights and its model state would be out of date. A run that is
started again asks all sites.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from models.errors import FetalHealthError


class SiteFailureError(FetalHealthError):
    """Too few sites are left for the run to go on; the message names those that have left, and why."""


class UnsoundReplyError(FetalHealthError):
    """A site's reply cannot be used; the message says why, without the site's name."""


class _Member(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def modality(self) -> str: ...


M = TypeVar("M", bound=_Member)


class Roster:
    """The sites of one run.

    Parameters
    ----------
    minimum : int or None
        Smallest number of sites of one modality that the run goes on with; None: all of them.
    on_drop : callable
        Called with the name of a site that leaves, and why.

    Attributes
    ----------
    lost : dict of site to str
        The sites that have left, and why.
    """

    def __init__(self, minimum: int | None = None, on_drop: Callable[[str, str], None] | None = None) -> None:
        self.minimum = minimum
        self.on_drop = on_drop
        self.lost: dict[str, str] = {}

    def present(self, members: Iterable[M]) -> list[M]:
        """The sites that have not left."""
        return [member for member in members if member.name not in self.lost]

    def drop(self, members: Sequence[M], names: Sequence[str], why: str) -> None:
        """Take sites out of the run.

        Parameters
        ----------
        members : sequence
            All sites that were asked; the others of the same modality count towards the minimum.
        names : sequence of str
            The sites that leave.

        Raises
        ------
        SiteFailureError
            Fewer than the minimum would be left.
        """
        for name in sorted(names):
            self.lost[name] = why
            if self.on_drop:
                self.on_drop(name, why)
        for modality in {member.modality for member in members if member.name in names}:
            peers = [member for member in members if member.modality == modality]
            left = len(self.present(peers))
            if left < (len(peers) if self.minimum is None else min(self.minimum, len(peers))) or left == 0:
                gone = ", ".join(sorted(member.name for member in peers if member.name in self.lost))
                needed = "all" if self.minimum is None else str(self.minimum)
                rest = f"{left} of {len(peers)} {modality} sites are left, {needed} needed"
                raise SiteFailureError(f"no usable answer from {gone} ({why}): {rest}")
