"""Federated training of the segmenter without a transport: the loop that Flower's messages carry, called in-process."""

from collections.abc import Callable, Sequence

import numpy as np

from federated.image_site import ImageSite, initial_lanes
from federated.local_replies import LocalReplies
from federated.network_weights import Weights
from federated.plan import UltrasoundPlan
from federated.strategies.averaging import WeightReply, join, lane_of
from federated.strategies.rounds import Rounds
from federated.strategies.weighting import SiteCounts

Report = Callable[[int, float, float], None]


def train_image_sites(
    sites: Sequence[ImageSite], plan: UltrasoundPlan, seed: int, lanes: Sequence[int], report: Report
) -> Weights:
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
    arrays: Weights = join({lane: lane_of(initial, lane) for lane in lanes})
    rounds = Rounds(plan.aggregation, {site.name: SiteCounts(len(site.records), site.strata) for site in sites})
    local = LocalReplies(rounds, plan.compression, {site.name: position for position, site in enumerate(sites)})
    for round_number in range(1, plan.rounds + 1):
        replies: list[WeightReply] = []
        means, size = [], 0
        for site in sites:
            trained, losses = site.train(arrays, round_number, lanes)
            reply, sent = local.reply(site.name, round_number, arrays, trained, losses)
            replies.append(reply)
            means.append(np.mean(losses))
            size += sent
        arrays, _ = rounds.combine(arrays, [replies])
        report(round_number, float(np.mean(means)), float(size))
    return arrays
