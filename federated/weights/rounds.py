"""From the replies of a round to the next weights: weigh, screen, combine, step. Used with and without Flower."""

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
    """A round has fewer usable replies than the plan needs."""


def spread(losses: Sequence[float]) -> tuple[float, float]:
    """Mean and variance of the losses of the batches."""
    return float(np.mean(losses)), float(np.var(losses))


class Rounds:
    """Aggregation of one training, round by round.

    Parameters
    ----------
    plan : AggregationPlan
    counts : mapping of str to SiteCounts
        Counts of every site's rows, from before the training.
    whole : bool
        Every site has every array; otherwise each array is averaged over the sites that have it.
    """

    def __init__(self, plan: AggregationPlan, counts: Mapping[str, SiteCounts], *, whole: bool = True) -> None:
        self.plan = plan
        self.counts = dict(counts)
        self.whole = whole
        self.adam = ServerAdam(plan.server_learning_rate) if plan.server == "adam" else None

    def reply(
        self, site: str, arrays: Arrays, fold_model_rows: Mapping[int, int], losses: tuple[float, float]
    ) -> WeightReply:
        """Combine a site's arrays and its weight into a reply.

        Parameters
        ----------
        site : str
        arrays : mapping of str to ndarray
        fold_model_rows : mapping of int to int
            Rows that each fold model learned from.
        losses : (float, float)
            Mean and variance over the batches; "inverse-variance" weighting uses the variance.
        """
        counts = self.counts
        if self.plan.weights == "inverse-variance":
            counts = {site: SiteCounts(self.counts[site].rows, (), losses[1])}
        factor = site_weights(self.plan.weights, counts)[site] / max(self.counts[site].rows, 1)
        by_lane = {fold_model: factor * rows for fold_model, rows in fold_model_rows.items()}
        return WeightReply(site, by_lane[min(by_lane)], arrays, by_lane)

    def combine(self, current: Arrays, waves: Iterable[Sequence[WeightReply]]) -> tuple[Weights, list[Rejection]]:
        """Compute the next weights.

        Parameters
        ----------
        current : mapping of str to ndarray
            The weights that the sites were sent.
        waves : iterable of sequences of WeightReply
            In the order of the sites. The mean needs one wave at a time, robust rules need all.

        Returns
        -------
        after : dict of str to ndarray
        rejected : list of Rejection
            The replies that were not used.

        Raises
        ------
        TooFewSitesError
            Fewer than `minimum_sites` replies can be used; the message names the rejected ones and the remedy.
        """
        mean, replies, rejected, used = RunningMean(), [], [], 0
        for wave in waves:
            accepted, bad = screen(wave, current, self.plan.norm_limit)
            rejected += bad
            used += len(accepted)
            for reply in accepted:
                if self.plan.rule == "mean":
                    mean.add(reply, whole=self.whole)
                else:
                    replies.append(reply)
        if used < min(self.plan.minimum_sites, len(self.counts)):
            words = "; ".join(rejection.words() for rejection in rejected)
            raise TooFewSitesError(
                f"only {used} sites gave a usable reply, {self.plan.minimum_sites} are needed: {words}"
            )
        try:
            if self.plan.rule == "mean":
                combined = mean.value()
            elif self.plan.rule == "trimmed-mean":
                combined = trimmed_mean(replies, self.plan.trim)
            else:
                combined = krum(replies, int(self.plan.trim * len(replies)))
        except ValueError as error:
            raise TooFewSitesError(str(error)) from None
        return self.step(current, combined), rejected

    def step(self, current: Arrays, mean: Arrays) -> Weights:
        """The next weights from the mean of the sites' weights."""
        after = self.adam.step(current, mean) if self.adam else mean
        return {**current, **after}
