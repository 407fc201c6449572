"""What always travels together in a training: the sites that are asked, the run that saves results, the plan."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict

from federated.plan import Plan
from federated.privacy.secure_queries import Check, Sums, summed
from federated.run.folder import RunFolder
from federated.transport.grid import ConnectedSite, SiteGroup

Progress = Callable[[int, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Training:
    """One training of a plan.

    Attributes
    ----------
    sites : SiteGroup
        The sites that can be asked.
    run : RunFolder
        Holds the rounds that are done already, and gets the new ones.
    plan : Plan
    """

    sites: SiteGroup
    run: RunFolder
    plan: Plan

    @cached_property
    def plan_json(self) -> str:
        """The plan as every message carries it."""
        return self.plan.model_dump_json()

    def content(self, arrays: ArrayRecord | None = None, **settings: Any) -> RecordDict:
        """Content of a message: the plan and other settings, and arrays under "model"."""
        config = ConfigRecord({"plan": self.plan_json, **settings})
        return RecordDict({"config": config} if arrays is None else {"model": arrays, "config": config})

    def ask(self, sites: list[ConnectedSite], kind: str, content: RecordDict) -> Iterator[tuple[str, Message]]:
        """Ask sites the same; yields name and reply of each, in the order of names. Raises as `SiteGroup.ask`."""
        return self.sites.ask(sites, kind, content)

    def summed(self, sites: list[ConnectedSite], kind: str, content: RecordDict, check: Check | None = None) -> Sums:
        """Sum over the sites' replies, under masks where the plan says so. Raises as `secure_queries.summed`."""
        return summed(self.sites, sites, kind, content, secure=self.plan.privacy.secure_sums, check=check)

    def progress(self, modality: str, rounds: int, first_round: int) -> Progress:
        """A function that writes an event about each finished round, with the time that is left."""
        started = time.monotonic()

        def report(round_number: int, metrics: Mapping[str, Any]) -> None:
            done = round_number - first_round + 1
            seconds_left = round((time.monotonic() - started) / done * (rounds - round_number))
            self.run.event(
                "round", modality=modality, round=round_number, rounds=rounds, seconds_left=seconds_left, **metrics
            )

        return report
