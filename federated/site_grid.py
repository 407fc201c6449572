"""Flower's grid as a federation of named sites: every reply or a clear failure, in order, a few at a time, counted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from models.errors import FetalHealthError

WAVE = 16
T = TypeVar("T")


class SiteFailureError(FetalHealthError):
    """A site did not answer, or answered with an error: the round is not aggregated from the others."""


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


def bytes_of(message: Message) -> int:
    """Payload of the arrays in a message."""
    return sum(len(array.data) for record in message.content.array_records.values() for array in record.values())


def in_waves(items: Iterable[T]) -> Iterator[list[T]]:
    """At most sixteen items at a time."""
    rest = iter(items)
    while wave := list(islice(rest, WAVE)):
        yield wave


class SiteGrid(Grid):  # type: ignore[misc]
    """Sends in waves, so that a server never holds more than sixteen replies; yields them by the sites' names.

    Parameters
    ----------
    grid : Grid
        Flower's.
    nodes : iterable of Node
    """

    def __init__(self, grid: Grid, nodes: Iterable[Node]) -> None:
        self.grid = grid
        self.names = {node.node: node.name for node in nodes}
        self.bytes_up = self.bytes_down = 0

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterator[Message]:
        """Replies in the order of the sites' names, if the messages are.

        Raises
        ------
        SiteFailureError
            Naming the sites of the wave that did not answer, or answered with an error.
        """
        for wave in in_waves(messages):
            asked = [message.metadata.dst_node_id for message in wave]
            self.bytes_down += sum(bytes_of(message) for message in wave)
            replies = self.grid.send_and_receive(list(wave), timeout=timeout)
            good = {reply.metadata.src_node_id: reply for reply in replies if not reply.has_error()}
            lost = [self.names[node] for node in asked if node not in good]
            if lost:
                raise SiteFailureError(f"no usable answer from {', '.join(sorted(lost))}")
            self.bytes_up += sum(bytes_of(reply) for reply in good.values())
            for node in asked:
                yield good.pop(node)

    def ask(
        self, nodes: Iterable[Node], kind: str, content: RecordDict, timeout_s: float = 3600.0
    ) -> Iterator[tuple[str, Message]]:
        """Send the same content to all nodes: replies as they come, with the site's name; raises as above."""
        messages = (Message(content, message_type=kind, dst_node_id=node.node) for node in nodes)
        for reply in self.send_and_receive(messages, timeout=timeout_s):
            yield self.names[reply.metadata.src_node_id], reply

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
