"""What a site's answer about trees must be, before it can matter."""

import zlib

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

from federated.plan import TreePlan
from federated.transport.messages import decode
from federated.transport.roster import UnsoundReplyError
from federated.trees.documents import Document, check_trees
from federated.trees.tasks import task_of

# Sums of a site are at most so many times its rows: class weights, views and gradients together stay below.
LARGEST_A_ROW = 50.0


def trees_of(section: TreePlan, array: Array) -> Document:
    """Proposed trees.

    Raises
    ------
    UnsoundReplyError
        They are no trees over the task's columns, or hold a number that is none.
    """
    task = task_of(section)
    try:
        one = decode(array)
        check_trees(one["trees"], one["tree_class"], len(task.columns), task.outputs)
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise UnsoundReplyError(f"it replied with {error}: install the same version everywhere") from None
    return one


def check_sums(sums: NDArray[np.float64], nodes: int, rows: int | None = None) -> None:
    """Refuse sums over other trees, sums that are no numbers, and sums that `rows` rows cannot have.

    Raises
    ------
    UnsoundReplyError
        Saying what is wrong, and what to do.
    """
    if sums.shape != (nodes, 2):
        raise UnsoundReplyError(
            f"it summed over {sums.shape[0]} nodes instead of {nodes}: install the same version everywhere"
        )
    if not np.isfinite(sums).all() or (sums[:, 1] < 0).any():
        raise UnsoundReplyError("it replied with sums that are not finite: look for damaged rows there")
    if rows is not None and np.abs(sums).max(initial=0.0) > LARGEST_A_ROW * rows:
        raise UnsoundReplyError(f"its sums are larger than {rows} rows can make them: look for damaged rows there")
