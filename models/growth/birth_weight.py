"""Size at birth: the z-score of a birth weight for its completed weeks."""

import numpy as np
from numpy.typing import NDArray

from models.growth.standard import Standard
from models.growth.weight import FMF_2018

Array = NDArray[np.float64]


def birth_weight_z(weight_g: Array, completed_weeks: Array, standard: Standard = FMF_2018) -> Array:
    """z-score of each birth weight; NaN where weight or age is missing or outside the chart.

    An age in completed weeks is taken as the middle of that week. Sex is not used.

    Parameters
    ----------
    weight_g, completed_weeks : ndarray, shape (n,)
    standard : Standard
        A weight chart; by default Nicolaides 2018 (second-hand).

    Returns
    -------
    ndarray, shape (n,)
    """
    z = np.full(len(weight_g), np.nan)
    for row, (grams, weeks) in enumerate(zip(weight_g, completed_weeks, strict=True)):
        if grams > 0 and standard.first_week <= weeks + 0.5 <= standard.last_week:
            z[row] = standard.z_score(float(grams), 7.0 * (float(weeks) + 0.5))
    return z
