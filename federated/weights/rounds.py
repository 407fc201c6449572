"""From a round's replies to the next weights: weighed, screened, combined, stepped. With or without Flower."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from federated.plan import AggregationPlan
from federated.weights.averaging import Arrays, RunningMean, WeightReply
from federated.weights.robust import krum, trimmed_mean
from federated.weights.screening import Rejection, screen
from federated.weights.server_optimiser import ServerAdam
from federated.weights.weighting import SiteCounts, site_weights
from models.errors import FetalHealthError

Weights = dict[str, NDArray[np.float32]]


class TooFewSitesError(FetalHealthError):
    """After the screen a round has fewer sound replies than the plan wants."""


def spread(losses: Sequence[float]) -> tuple[float, float]:
    """Mean and variance of the loss over batches."""
    return float(np.mean(losses)), float(np.var(losses))


class Rounds:
    """Aggregation of one training, round by round.

    Parameters
    ----------
    plan : AggregationPlan
    counts : mapping of str to SiteCounts
        What every site said of its rows before the training.
    whole : bool
        Every site holds every array; otherwise each is averaged over the sites that hold it.
    """

    def __init__(self, plan: AggregationPlan, counts: Mapping[str, SiteCounts], *, whole: bool = True) -> None:
        self.plan = plan
        self.counts = dict(counts)
        self.whole = whole
        self.adam = ServerAdam(plan.server_learning_rate) if plan.server == "adam" else None

    def reply(
        self, site: str, arrays: Arrays, lane_rows: Mapping[int, int], losses: tuple[float, float]
    ) -> WeightReply:
        """A site's answer with its weight.

        Parameters
        ----------
        site : str
        arrays : mapping of str to ndarray
        lane_rows : mapping of int to int
            Rows that each lane learned from.
        losses : (float, float)
            Mean and variance over the batches.
        """
        counts = self.counts
        if self.plan.weights == "inverse-variance":
            counts = {site: SiteCounts(self.counts[site].rows, (), losses[1])}
        factor = site_weights(self.plan.weights, counts)[site] / max(self.counts[site].rows, 1)
        by_lane = {lane: factor * rows for lane, rows in lane_rows.items()}
        return WeightReply(site, by_lane[min(by_lane)], arrays, by_lane)

    def combine(self, current: Arrays, waves: Iterable[Sequence[WeightReply]]) -> tuple[Weights, list[Rejection]]:
        """The next weights, and the replies that were left out.

        Parameters
        ----------
        current : mapping of str to ndarray
            What the sites were sent.
        waves : iterable of sequences of WeightReply
            In the order of the sites. The mean holds one wave at a time, robust rules hold all.

        Raises
        ------
        TooFewSitesError
            Fewer than `minimum_sites` replies can be used; the message names the others and what to do.
        """
        mean, kept, rejected, used = RunningMean(), [], [], 0
        for wave in waves:
            sound, bad = screen(wave, current, self.plan.norm_limit)
            rejected += bad
            used += len(sound)
            for reply in sound:
                if self.plan.rule == "mean":
                    mean.add(reply, whole=self.whole)
                else:
                    kept.append(reply)
        if used < min(self.plan.minimum_sites, len(self.counts)):
            words = "; ".join(rejection.words() for rejection in rejected)
            raise TooFewSitesError(
                f"only {used} sites gave a usable reply, {self.plan.minimum_sites} are needed: {words}"
            )
        try:
            if self.plan.rule == "mean":
                combined = mean.value()
            elif self.plan.rule == "trimmed-mean":
                combined = trimmed_mean(kept, self.plan.trim)
            else:
                combined = krum(kept, int(self.plan.trim * len(kept)))
        except ValueError as error:
            raise TooFewSitesError(str(error)) from None
        return self.step(current, combined), rejected

    def step(self, current: Arrays, mean: Arrays) -> Weights:
        """The next weights from the sites' mean."""
        after = self.adam.step(current, mean) if self.adam else mean
        return {**current, **after}
