"""Federated boosting as a Flower strategy."""

from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
from flwr.app import ArrayRecord, Message, RecordDict

from federated.plan import TreePlan
from federated.privacy.small_cells import suppress_small
from federated.run.strategy import SiteStrategy
from federated.run.training import Training
from federated.transport.grid import ConnectedSite
from federated.transport.messages import encode
from federated.transport.roster import SiteFailureError, UnsoundReplyError
from federated.trees.bagging import TreeReply
from federated.trees.documents import Document, new_trees
from federated.trees.replies import check_sums, trees_of
from federated.trees.rounds import finish_round, frame_of, proposal_of, proposers


class Trees(SiteStrategy):
    """Boosted trees over Flower; the arrays are the round's new trees of every fold model.

    A round is two exchanges. First some sites propose trees. Then all sites sum over the leaves of the proposals
    ("refitted-trees") or of the merged round ("weighted-bagging", for the covers).

    Parameters
    ----------
    training : Training
    sites : list of ConnectedSite
        Sorted by name.
    modality : str
        Names the checkpoints of the rounds.
    section : TreePlan
        The section of the plan that these trees follow.
    first_round : int
    """

    def __init__(
        self, training: Training, sites: list[ConnectedSite], modality: str, section: TreePlan, first_round: int
    ) -> None:
        progress = training.progress(modality, section.rounds, first_round)
        super().__init__("train.trees", training, sites, first_round, progress)
        self.modality = modality
        self.section = section
        self.frame = frame_of(section)

    def trained(self, round_number: int) -> list[ConnectedSite]:
        """The sites that propose trees."""
        present = self.present
        return [present[k] for k in proposers(len(present), self.section, round_number)]

    def combine(self, round_number: int, replies: Iterable[Message]) -> ArrayRecord:
        """Merge the trees of every fold model."""
        proposed: dict[int, list[TreeReply]] = {}
        for reply in replies:
            name = self.names[reply.metadata.src_node_id]
            weight = float(cast(float, reply.content["metrics"]["weight"]))
            try:
                grown = {number: trees_of(self.section, array) for number, array in reply.content["model"].items()}
            except UnsoundReplyError as error:
                self.drop(name, str(error))
                continue
            for number, trees in grown.items():
                tree_reply = TreeReply(name, weight, trees["trees"], trees["tree_class"])
                proposed.setdefault(int(number), []).append(tree_reply)
        if not proposed:
            raise SiteFailureError("every site that was to propose trees is lost: start the run again, it goes on")
        proposals = {number: proposal_of(self.section, self.frame, trees) for number, trees in proposed.items()}
        merged = self._merged(round_number, proposals)
        self.training.run.save_trees(self.modality, round_number, merged)
        return trees_record({round_number: merged})

    def _merged(self, round_number: int, proposals: dict[int, Document]) -> dict[int, Document]:
        """Ask all sites for their sums over the proposals, save the out-of-fold losses, and finish the round."""
        record = ArrayRecord({str(number): encode(document) for number, document in proposals.items()})
        # Sites that proposed nothing have yet to absorb the last round's trees.
        content = RecordDict({**self.sent, "proposals": record})
        ends = {
            number: np.cumsum([len(tree["left_children"]) for tree in new_trees(proposal)[0]])
            for number, proposal in proposals.items()
        }
        losses: dict[str, float] = {}
        rows_of = {site.name: site.rows for site in self.sites}

        def check(name: str, reply: Message) -> None:
            for number, end in ends.items():
                check_sums(reply.content["sums"][str(number)].numpy(), int(end[-1]), rows_of[name])
            loss, rows = np.reshape(reply.content["metrics"]["left-out"], (-1, 2)).sum(axis=0)
            if suppress_small(int(rows)):
                losses[name] = round(float(loss / rows), 4)

        total = self.training.summed(self.sites, "query.leaves", content, check)
        # Keys of messages, events and files keep the spelling "left out" of earlier releases.
        out_of_fold = total["metrics"]["left-out"].reshape(-1, 2)
        self.training.run.save_results(f"{self.modality}-{round_number:05d}-left-out", out_of_fold.tolist())
        self.round_metrics["left_out_loss"] = losses
        merged = {}
        for number, proposal in proposals.items():
            sums = total["sums"][str(number)]
            check_sums(sums, int(ends[number][-1]))
            merged[number] = finish_round(self.section, proposal, np.split(sums, ends[number][:-1]))
        return merged


def trees_record(rounds: Mapping[int, Mapping[int, Document]]) -> ArrayRecord:
    """Trees by round and fold model, under keys "model.round", for example "2.00017"."""
    return ArrayRecord(
        {
            f"{number}.{round_number:05d}": encode(document)
            for round_number, documents in rounds.items()
            for number, document in documents.items()
        }
    )
