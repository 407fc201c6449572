"""Checks of a site's reply about trees, before it is used."""

import zlib

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

from federated.plan import TreePlan
from federated.transport.messages import decode
from federated.transport.roster import UnsoundReplyError
from federated.trees.documents import Document, check_trees
from federated.trees.tasks import task_of

# Upper limit of a site's sums for each of its rows: class weights, views and gradients together stay below it.
LARGEST_A_ROW = 50.0


def trees_of(section: TreePlan, array: Array) -> Document:
    """Decode proposed trees.

    Raises
    ------
    UnsoundReplyError
        They are no trees over the task's columns, or contain a number that is not finite.
    """
    task = task_of(section)
    try:
        document = decode(array)
        check_trees(document["trees"], document["tree_class"], len(task.columns), task.outputs)
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise UnsoundReplyError(f"it replied with {error}: install the same version everywhere") from None
    return document


def check_sums(sums: NDArray[np.float64], nodes: int, rows: int | None = None) -> None:
    """Refuse sums over other trees, sums that are not finite, and sums that are too large for `rows` rows.

    Raises
    ------
    UnsoundReplyError
        The message says what is wrong, and what to do.
    """
    if sums.shape != (nodes, 2):
        raise UnsoundReplyError(
            f"it summed over {sums.shape[0]} nodes instead of {nodes}: install the same version everywhere"
        )
    if not np.isfinite(sums).all() or (sums[:, 1] < 0).any():
        raise UnsoundReplyError("it replied with sums that are not finite: look for damaged rows there")
    if rows is not None and np.abs(sums).max(initial=0.0) > LARGEST_A_ROW * rows:
        raise UnsoundReplyError(f"its sums are larger than {rows} rows can make them: look for damaged rows there")
