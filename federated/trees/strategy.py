"""Federated boosting as a Flower strategy."""

from collections.abc import Callable, Iterable
from typing import cast

import numpy as np
from flwr.app import ArrayRecord, Message, RecordDict
from numpy.typing import NDArray

from federated.plan import Plan, TreePlan
from federated.privacy.secure_queries import summed
from federated.privacy.small_cells import floored
from federated.transport.grid import Node
from federated.transport.messages import encode
from federated.transport.roster import SiteFailureError, UnsoundReplyError
from federated.transport.strategy import Progress, SiteStrategy
from federated.trees.bagging import TreeReply
from federated.trees.documents import Document, new_trees
from federated.trees.replies import check_sums, trees_of
from federated.trees.rounds import finish_round, proposal_of, proposers


class Trees(SiteStrategy):
    """Boosted trees over Flower; the arrays are the round's new trees of every lane.

    `section` is the part of the plan that these trees follow. A round is two exchanges: some sites propose trees, then
    all sum over the leaves of the proposals ("refitted-trees") or of the merged round ("weighted-bagging": covers).
    """

    kind = "train.trees"

    def __init__(
        self,
        nodes: list[Node],
        plan: Plan,
        first_round: int,
        progress: Progress,
        keep: Callable[[int, tuple[dict[int, Document], NDArray[np.float64]]], None],
        frame: Document,
        section: TreePlan,
    ) -> None:
        super().__init__(nodes, plan, first_round, progress, keep)
        self.section = section
        self.frame = frame

    def trained(self, round_number: int) -> list[Node]:
        """The sites that propose."""
        present = self.present
        return [present[k] for k in proposers(len(present), self.section, round_number)]

    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """Merge every lane."""
        parts: dict[int, list[TreeReply]] = {}
        for reply in replies:
            name = self.names[reply.metadata.src_node_id]
            weight = float(cast(float, reply.content["metrics"]["weight"]))
            try:
                grown = {lane: trees_of(self.section, array) for lane, array in reply.content["model"].items()}
            except UnsoundReplyError as error:
                self.grid.roster.lose(self.nodes, [name], str(error))
                continue
            for lane, one in grown.items():
                named = TreeReply(name, weight, one["trees"], one["tree_class"])
                parts.setdefault(int(lane), []).append(named)
        if not parts:
            raise SiteFailureError("every site that was to propose trees is lost: start the run again, it goes on")
        proposals = {lane: proposal_of(self.section, self.frame, trees) for lane, trees in parts.items()}
        merged = self._summed(proposals)
        self.keep(round_number, (merged, self.left_out))
        return lane_record({round_number: merged})

    def _summed(self, proposals: dict[int, Document]) -> dict[int, Document]:
        record = ArrayRecord({str(lane): encode(document) for lane, document in proposals.items()})
        # Sites that did not propose have yet to take in the last round's trees.
        content = RecordDict({**self.sent, "proposals": record})
        ends = {
            lane: np.cumsum([len(tree["left_children"]) for tree in new_trees(proposal)[0]])
            for lane, proposal in proposals.items()
        }
        losses: dict[str, float] = {}
        held = {node.name: node.rows for node in self.nodes}

        def look(name: str, reply: Message) -> None:
            for lane, end in ends.items():
                check_sums(reply.content["sums"][str(lane)].numpy(), int(end[-1]), held[name])
            loss, rows = np.reshape(reply.content["metrics"]["left-out"], (-1, 2)).sum(axis=0)
            if floored(int(rows)):
                losses[name] = round(float(loss / rows), 4)

        secure = self.plan.privacy.secure_sums
        total = summed(self.federation, self.nodes, "query.leaves", content, secure=secure, each=look)
        self.left_out = total["metrics"]["left-out"].reshape(-1, 2)
        self.round_metrics["left_out_loss"] = losses
        made = {}
        for lane, proposal in proposals.items():
            sums = total["sums"][str(lane)]
            check_sums(sums, int(ends[lane][-1]))
            made[lane] = finish_round(self.section, proposal, np.split(sums, ends[lane][:-1]))
        return made


def lane_record(rounds: dict[int, dict[int, Document]]) -> ArrayRecord:
    """Trees by round and lane, under keys "lane.round"."""
    return ArrayRecord(
        {
            f"{lane}.{number:05d}": encode(document)
            for number, lanes in rounds.items()
            for lane, document in lanes.items()
        }
    )
