"""Flower's grid as a group of named sites.

Replies come in the order of the sites' names, a few at a time, and their size is counted. A site that does not answer
leaves the run.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from federated.transport.errors import REASON, REASONS
from federated.transport.flower_private import ErrorCode
from federated.transport.packing import pack, unpack
from federated.transport.roster import Roster

# Messages that are sent at a time; the server never holds more replies than this.
WAVE = 16
GONE = "it went away"
# Replies are looked for at once, then less and less often.
FIRST_LOOK_S, LAST_LOOK_S = 0.05, 0.3
T = TypeVar("T")


@dataclass(frozen=True)
class ConnectedSite:
    """A site of the run and the Flower node that answers for it.

    Attributes
    ----------
    node : int
        Flower's number of the node.
    name, modality : str
    rows, groups : int
    strata : tuple of int
        Rows of each class (for images: size band); counts of fewer than five are reported as 0.
    """

    node: int
    name: str
    modality: str
    rows: int
    groups: int
    strata: tuple[int, ...] = ()


@dataclass
class Traffic:
    """Payload of all messages since the counters were last set to zero, bytes."""

    up: int = 0
    down: int = 0


def bytes_of(message: Message) -> int:
    """Payload of a message: arrays, figures of eight bytes, settings."""
    content = message.content
    arrays = sum(len(array.data) for record in content.array_records.values() for array in record.values())
    figures = sum(len(np.atleast_1d(value)) for record in content.metric_records.values() for value in record.values())
    settings = sum(
        len(value)
        for record in content.config_records.values()
        for value in record.values()
        if hasattr(value, "__len__")
    )
    return arrays + 8 * figures + settings


def _reason(reply: Message) -> str:
    """Why a site did not answer, in one of our own texts; a text that came from the site is never shown."""
    if reply.error.reason in REASONS:
        return str(reply.error.reason)
    return GONE if reply.error.code == ErrorCode.NODE_UNAVAILABLE else REASON


def in_waves(items: Iterable[T]) -> Iterator[list[T]]:
    """At most sixteen items at a time."""
    rest = iter(items)
    while wave := list(islice(rest, WAVE)):
        yield wave


@dataclass(frozen=True)
class SiteGroup:
    """The sites of a run: Flower's grid, and the roster of those that are still in the run.

    Attributes
    ----------
    grid : Grid
    roster : Roster
    timeout_s : float
        How long a site may take to answer, seconds.
    traffic : Traffic
    """

    grid: Grid
    roster: Roster
    timeout_s: float
    traffic: Traffic = field(default_factory=Traffic)

    def of(self, sites: Iterable[ConnectedSite]) -> "SiteGrid":
        """The grid of some of the sites."""
        return SiteGrid(self, sites)

    def ask(self, sites: list[ConnectedSite], kind: str, content: RecordDict) -> Iterator[tuple[str, Message]]:
        """Ask these sites; as `SiteGrid.ask`."""
        return self.of(sites).ask(sites, kind, content)


class SiteGrid(Grid):  # type: ignore[misc]
    """Sends messages in waves, so that a server never holds more than sixteen replies, and yields replies by site name.

    Parameters
    ----------
    group : SiteGroup
    sites : iterable of ConnectedSite
        All sites that take part; the roster counts those of one modality.
    """

    def __init__(self, group: SiteGroup, sites: Iterable[ConnectedSite]) -> None:
        self.grid, self.roster = group.grid, group.roster
        self.timeout_s, self.traffic = group.timeout_s, group.traffic
        self.sites = {site.node: site for site in sites}

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterator[Message]:
        """Yield the replies in the order of the messages; the group's own time limit is used, not `timeout`.

        Raises
        ------
        SiteFailureError
            Too few sites are left after those without an answer, or with an error, have left the run.
        """
        for wave in in_waves(messages):
            nodes = [message.metadata.dst_node_id for message in wave]
            self.traffic.down += sum(bytes_of(message) for message in wave)
            replies = self._exchange(wave)
            usable = {node: reply for node, reply in replies.items() if not reply.has_error()}
            self._drop_failed(nodes, replies)
            self.traffic.up += sum(bytes_of(reply) for reply in usable.values())
            for node in nodes:
                if node in usable:
                    yield usable.pop(node)

    def _drop_failed(self, nodes: list[int], replies: dict[int, Message]) -> None:
        failed: dict[str, list[str]] = {}
        for node in nodes:
            if node in replies and replies[node].has_error():
                failed.setdefault(_reason(replies[node]), []).append(self.sites[node].name)
        silent = [self.sites[node].name for node in nodes if node not in replies]
        members = list(self.sites.values())
        for reason, names in failed.items():
            self.roster.drop(members, names, reason)
        if silent:
            self.roster.drop(members, silent, f"no answer within {self.timeout_s:g} s")

    def _exchange(self, messages: list[Message]) -> dict[int, Message]:
        """Replies by node, within the time limit; Flower's own exchange looks for them only every three seconds."""
        packed: dict[int, RecordDict] = {}  # often all sites get the same content
        for message in messages:
            if id(message.content) not in packed:
                packed[id(message.content)] = pack(message.content)
            message.content = packed[id(message.content)]
        outstanding = dict(zip(self.grid.push_messages(messages), messages, strict=True))
        end, pause = time.monotonic() + self.timeout_s, FIRST_LOOK_S
        replies: dict[int, Message] = {}
        while outstanding:
            for reply in self.grid.pull_messages(list(outstanding)):
                message = outstanding.pop(reply.metadata.reply_to_message_id)
                if not reply.has_error():
                    reply.content = unpack(reply.content)
                replies[message.metadata.dst_node_id] = reply
            if time.monotonic() > end:
                break
            if outstanding:
                time.sleep(pause)
                pause = min(pause * 1.5, LAST_LOOK_S)
        return replies

    def ask(self, sites: Iterable[ConnectedSite], kind: str, content: RecordDict) -> Iterator[tuple[str, Message]]:
        """Send the same content to all sites that are still in the run; yield each site's name and reply.

        Raises
        ------
        SiteFailureError
            As `send_and_receive`.
        """
        present = self.roster.present(sites)
        messages = (Message(content, message_type=kind, dst_node_id=site.node) for site in present)
        for reply in self.send_and_receive(messages):
            yield self.sites[reply.metadata.src_node_id].name, reply

    def get_node_ids(self) -> Iterable[int]:
        """Nodes that are connected now, also those of other sites."""
        return list(self.grid.get_node_ids())

    @property
    def run(self) -> Any:
        """Flower's record of the run."""
        return self.grid.run

    def set_run(self, *arguments: Any) -> None:
        """Call the same method of Flower's grid."""
        self.grid.set_run(*arguments)

    def create_message(self, *arguments: Any, **named: Any) -> Message:
        """Call the same method of Flower's grid."""
        return self.grid.create_message(*arguments, **named)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Call the same method of Flower's grid."""
        return list(self.grid.push_messages(messages))

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Call the same method of Flower's grid."""
        return list(self.grid.pull_messages(message_ids))
