"""Federated training of the segmenter without a transport: the loop that Flower's messages carry, called in-process."""

from collections.abc import Callable, Sequence

import numpy as np

from federated.compression import Vector, pack, unpack
from federated.image_site import Arrays, ImageSite, initial_lanes
from federated.plan import UltrasoundPlan
from federated.strategies.averaging import WeightReply, join, lane_of
from federated.strategies.rounds import Rounds
from federated.strategies.weighting import SiteCounts

Report = Callable[[int, float, float], None]


def train_image_sites(
    sites: Sequence[ImageSite], plan: UltrasoundPlan, seed: int, lanes: Sequence[int], report: Report
) -> Arrays:
    """Train the given lanes over all rounds.

    Parameters
    ----------
    sites : sequence of ImageSite
        Sorted by name.
    plan : UltrasoundPlan
    seed : int
        Of the first weights.
    lanes : sequence of int
    report : callable
        Given the round's number, the mean loss and the bytes that went up.

    Returns
    -------
    dict of str to ndarray
        Named ``lane.weight``.
    """
    initial = initial_lanes(plan, seed)
    arrays: Arrays = join({lane: lane_of(initial, lane) for lane in lanes})
    rounds = Rounds(plan.aggregation, {site.name: SiteCounts(len(site.records), site.strata) for site in sites})
    residuals: dict[str, dict[int, Vector]] = {site.name: {} for site in sites}
    for round_number in range(1, plan.rounds + 1):
        replies: list[WeightReply] = []
        size, means = 0, []
        for position, site in enumerate(sites):
            trained, losses = site.train(arrays, round_number, lanes)
            sent = join({lane: reply.arrays for lane, reply in trained.items()})
            seed_here = (position * 1009 + round_number) % 2**31  # as the mod that packs for Flower
            packed = pack(sent, arrays, plan.compression, seed_here, residuals[site.name])
            size += sum(values.nbytes for values in packed.values())
            rows = {lane: int(reply.weight) for lane, reply in trained.items()}
            spread = (float(np.mean(losses)), float(np.var(losses)))
            means.append(spread[0])
            replies.append(rounds.reply(site.name, unpack(packed, arrays, plan.compression), rows, spread))
        arrays, _ = rounds.combine(arrays, [replies])
        report(round_number, float(np.mean(means)), float(size))
    return arrays
