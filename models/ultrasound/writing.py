"""Writing that is burnt into a picture: names, dates and hospital numbers stay readable when only pixels are stored.

Letters of a scanner are small, of even height, brighter than what is around them, and stand in a line. What looks like
that is counted, so that a person can be warned; it is not read, and nothing is erased, because a caliper, a depth scale
and a part of the fetus may look alike.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Letters that touch at one threshold stand apart at another.
THRESHOLDS, DARK = (110, 150, 190), 60
HEIGHTS, WIDTH = (6, 40), 1.6
# Fewest letters in a line; how far their centres and heights may differ, in heights; widest gap, in heights.
LETTERS, CENTRE, HEIGHT, GAP = 4, 0.35, 0.45, 1.2


def lines(pixels: NDArray[np.uint8]) -> int:
    """Number of lines of writing in a picture.

    Parameters
    ----------
    pixels : ndarray, shape (height, width)
    """
    return max(_lines(_letters(pixels, threshold)) for threshold in THRESHOLDS)


def _lines(letters: NDArray[np.float64]) -> int:
    letters = letters[np.argsort(letters[:, 0])]
    used = np.zeros(len(letters), dtype=bool)
    found = 0
    for first in range(len(letters)):
        if used[first]:
            continue
        line = [first]
        for other in range(first + 1, len(letters)):
            if letters[other, 0] - letters[line[-1], 1] > GAP * letters[line[-1], 3]:
                break
            if not used[other] and _follows(letters[line[-1]], letters[other]):
                line.append(other)
        if len(line) >= LETTERS:
            used[line] = True
            found += 1
    return found


def _follows(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    height = max(one[3], other[3])
    apart = other[0] - one[1]
    return bool(
        -0.2 * height <= apart <= GAP * height
        and abs(one[2] - other[2]) <= CENTRE * height
        and abs(one[3] - other[3]) <= HEIGHT * height
    )


def _letters(pixels: NDArray[np.uint8], threshold: int) -> NDArray[np.float64]:
    """What may be letters: left, right, centre from above, height."""
    marks, count = ndimage.label(pixels >= threshold, structure=np.ones((3, 3)))
    boxes = []
    for mark, place in enumerate(ndimage.find_objects(marks, count), start=1):
        rows, columns = place
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if not (HEIGHTS[0] <= height <= HEIGHTS[1] and width <= WIDTH * height):
            continue
        own = marks[place] == mark
        share = own.mean()
        if not 0.15 <= share <= (1.0 if width < 0.35 * height else 0.85):
            continue
        ring = pixels[max(rows.start - 2, 0) : rows.stop + 2, max(columns.start - 2, 0) : columns.stop + 2]
        beside = np.concatenate([ring[0], ring[-1], ring[:, 0], ring[:, -1]])
        if np.median(beside) > DARK:
            continue
        boxes.append((columns.start, columns.stop, (rows.start + rows.stop) / 2, height))
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)
