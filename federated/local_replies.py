"""Replies of sites in this process, as they would reach the server over Flower: packed, unpacked and weighed."""

from collections.abc import Mapping, Sequence

import numpy as np

from federated.compression import Vector, pack, rounding_seed, unpack
from federated.plan import CompressionPlan
from federated.strategies.averaging import Arrays, WeightReply, join
from federated.strategies.rounds import Rounds, spread


class LocalReplies:
    """Turns what sites have trained into the replies that a round combines.

    Parameters
    ----------
    rounds : Rounds
    plan : CompressionPlan
    positions : mapping of site to int
        Flower's partition of each site, which seeds the rounding of its updates.
    """

    def __init__(self, rounds: Rounds, plan: CompressionPlan, positions: Mapping[str, int]) -> None:
        self.rounds = rounds
        self.plan = plan
        self.positions = positions
        self._residuals: dict[str, dict[int, Vector]] = {}

    def reply(
        self, site: str, round_number: int, current: Arrays, trained: Mapping[int, WeightReply], losses: Sequence[float]
    ) -> tuple[WeightReply, int]:
        """A site's reply, and the bytes that it sent up.

        Parameters
        ----------
        site : str
        round_number : int
        current : mapping of str to ndarray
            At least what the site was sent.
        trained : mapping of int to WeightReply
            By lane: the weights that travel.
        losses : sequence of float
            Of its batches.
        """
        sent = join({lane: reply.arrays for lane, reply in trained.items()})
        seed = rounding_seed(self.positions[site], round_number)
        packed = pack(sent, current, self.plan, seed, self._residuals.setdefault(site, {}))
        before = {name: np.asarray(current[name]) for name in sent}
        rows = {lane: int(reply.weight) for lane, reply in trained.items()}
        made = self.rounds.reply(site, unpack(packed, before, self.plan), rows, spread(losses))
        return made, sum(values.nbytes for values in packed.values())
