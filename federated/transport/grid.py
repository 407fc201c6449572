"""Flower's grid as a federation of named sites: replies in order, a few at a time, counted; who is silent is lost."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from flwr.app import Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from federated.transport.errors import REASON, REASONS
from federated.transport.packing import pack, unpack
from federated.transport.roster import Roster

WAVE = 16
# A reply is looked for at once, then less and less often.
GONE = "it went away"
FIRST_LOOK_S, LAST_LOOK_S = 0.05, 0.3
T = TypeVar("T")


@dataclass(frozen=True)
class Node:
    """A Flower node and the site behind it.

    Attributes
    ----------
    node : int
    name, modality : str
    rows, groups : int
    strata : tuple of int
        Rows of each class (for images: size band); fewer than five are told as 0.
    """

    node: int
    name: str
    modality: str
    rows: int
    groups: int
    strata: tuple[int, ...] = ()


@dataclass
class Traffic:
    """Payload of all messages since it was last set to nought, bytes."""

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
    """Why a site did not answer: in words that are known here, never in words that came from there."""
    if reply.error.reason in REASONS:
        return str(reply.error.reason)
    return GONE if reply.error.code == ErrorCode.NODE_UNAVAILABLE else REASON


def in_waves(items: Iterable[T]) -> Iterator[list[T]]:
    """At most sixteen items at a time."""
    rest = iter(items)
    while wave := list(islice(rest, WAVE)):
        yield wave


@dataclass(frozen=True)
class Federation:
    """Flower's grid, and who of a run's sites is left.

    Attributes
    ----------
    grid : Grid
    roster : Roster
    timeout_s : float
        How long a site may take to answer.
    traffic : Traffic
    """

    grid: Grid
    roster: Roster
    timeout_s: float
    traffic: Traffic = field(default_factory=Traffic)

    def of(self, nodes: Iterable[Node]) -> "SiteGrid":
        """The grid of some of the sites."""
        return SiteGrid(self, nodes)

    def ask(self, nodes: list[Node], kind: str, content: RecordDict) -> Iterator[tuple[str, Message]]:
        """As `SiteGrid.ask`, of these sites."""
        return self.of(nodes).ask(nodes, kind, content)


class SiteGrid(Grid):  # type: ignore[misc]
    """Sends in waves, so that a server never holds more than sixteen replies; yields them by the sites' names.

    Parameters
    ----------
    federation : Federation
        Sites that are lost are taken out of its roster, and not asked again.
    nodes : iterable of Node
    """

    def __init__(self, federation: Federation, nodes: Iterable[Node]) -> None:
        self.grid, self.roster = federation.grid, federation.roster
        self.timeout_s, self.traffic = federation.timeout_s, federation.traffic
        self.nodes = {node.node: node for node in nodes}

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterator[Message]:
        """Replies in the order of the sites' names, if the messages are; `timeout` gives way to the federation's own.

        Raises
        ------
        SiteFailureError
            Too few sites are left when those that did not answer, or answered with an error, are out.
        """
        for wave in in_waves(messages):
            asked = [message.metadata.dst_node_id for message in wave]
            self.traffic.down += sum(bytes_of(message) for message in wave)
            answers = self._exchange(wave)
            good = {node: reply for node, reply in answers.items() if not reply.has_error()}
            failed: dict[str, list[str]] = {}
            for node in asked:
                if node in answers and node not in good:
                    failed.setdefault(_reason(answers[node]), []).append(self.nodes[node].name)
            silent = [self.nodes[node].name for node in asked if node not in answers]
            everybody = list(self.nodes.values())
            for why, names in failed.items():
                self.roster.lose(everybody, names, why)
            if silent:
                self.roster.lose(everybody, silent, f"no answer within {self.timeout_s:g} s")
            self.traffic.up += sum(bytes_of(reply) for reply in good.values())
            for node in asked:
                if node in good:
                    yield good.pop(node)

    def _exchange(self, messages: list[Message]) -> dict[int, Message]:
        """Replies by node, within the time; Flower's own exchange looks only every three seconds."""
        packed: dict[int, RecordDict] = {}  # often all get the same content
        for message in messages:
            if id(message.content) not in packed:
                packed[id(message.content)] = pack(message.content)
            message.content = packed[id(message.content)]
        outstanding = dict(zip(self.grid.push_messages(messages), messages, strict=True))
        end, pause = time.monotonic() + self.timeout_s, FIRST_LOOK_S
        answers: dict[int, Message] = {}
        while outstanding:
            for reply in self.grid.pull_messages(list(outstanding)):
                asked = outstanding.pop(reply.metadata.reply_to_message_id)
                if not reply.has_error():
                    reply.content = unpack(reply.content)
                answers[asked.metadata.dst_node_id] = reply
            if time.monotonic() > end:
                break
            if outstanding:
                time.sleep(pause)
                pause = min(pause * 1.5, LAST_LOOK_S)
        return answers

    def ask(self, nodes: Iterable[Node], kind: str, content: RecordDict) -> Iterator[tuple[str, Message]]:
        """Send the same content to all nodes that are not lost: replies with the site's name; raises as above."""
        present = self.roster.present(nodes)
        messages = (Message(content, message_type=kind, dst_node_id=node.node) for node in present)
        for reply in self.send_and_receive(messages):
            yield self.nodes[reply.metadata.src_node_id].name, reply

    def get_node_ids(self) -> Iterable[int]:
        """Nodes that are connected now, these or others."""
        return list(self.grid.get_node_ids())

    @property
    def run(self) -> Any:
        """Flower's run."""
        return self.grid.run

    def set_run(self, *arguments: Any) -> None:
        """Hand over to Flower."""
        self.grid.set_run(*arguments)

    def create_message(self, *arguments: Any, **named: Any) -> Message:
        """Hand over to Flower."""
        return self.grid.create_message(*arguments, **named)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Hand over to Flower."""
        return list(self.grid.push_messages(messages))

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Hand over to Flower."""
        return list(self.grid.pull_messages(message_ids))
