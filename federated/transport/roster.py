"""Which sites are still in a run. A site that fails or stays silent leaves it for good, by name, above a floor.

For good, because a site that missed a round's trees would answer the next one from margins that are not the others'. A
run that is started again asks everybody anew.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from models.errors import FetalHealthError


class SiteFailureError(FetalHealthError):
    """So few sites are left that the run must end; the message names those that are lost, and why."""


class UnsoundReplyError(FetalHealthError):
    """A site's answer cannot be used; the message says why, without the site's name."""


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
    floor : int or None
        Fewest sites of one modality that the run goes on with; None: all of them.
    tell : callable
        Given a site's name and why it left.
    """

    def __init__(self, floor: int | None = None, tell: Callable[[str, str], None] | None = None) -> None:
        self.floor = floor
        self.tell = tell
        self.lost: dict[str, str] = {}

    def present(self, members: Iterable[M]) -> list[M]:
        """Those that have not left."""
        return [member for member in members if member.name not in self.lost]

    def lose(self, members: Sequence[M], names: Sequence[str], why: str) -> None:
        """Take sites out.

        Parameters
        ----------
        members : sequence
            All that were asked; the others of the same modality count towards the floor.
        names : sequence of str
            Those that gave no usable answer.

        Raises
        ------
        SiteFailureError
            Fewer than the floor would be left.
        """
        for name in sorted(names):
            self.lost[name] = why
            if self.tell:
                self.tell(name, why)
        for modality in {member.modality for member in members if member.name in names}:
            held = [member for member in members if member.modality == modality]
            left = len(self.present(held))
            if left < (len(held) if self.floor is None else min(self.floor, len(held))) or left == 0:
                gone = ", ".join(sorted(member.name for member in held if member.name in self.lost))
                needed = "all" if self.floor is None else str(self.floor)
                rest = f"{left} of {len(held)} {modality} sites are left, {needed} needed"
                raise SiteFailureError(f"no usable answer from {gone} ({why}): {rest}")
