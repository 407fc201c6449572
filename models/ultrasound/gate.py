"""What may be measured: the reasons to refuse an outline, in the order in which they are told.

The thresholds were set on out-of-fold heads of HC18 and on images made to hold no head (docs/evidence/ultrasound.md).
The plane itself is not judged beyond the outline's shape: no labelled set of wrong planes is at hand.
"""

from dataclasses import dataclass

# Smallest and largest share of the image that a measurable head takes.
MIN_AREA_SHARE = 0.02
# Narrowest BPD/OFD.
MIN_AXIS_RATIO = 0.6
MAX_ROUGHNESS = 0.035
MIN_CONFIDENCE = 0.94
MIN_SUPPORT = 0.93
MAX_SPREAD = 0.025
MAX_OUTSIDE_SHARE = 0.08
# Brain is dark beside the skull: the brightest of 829 HC18 heads has a median grey value of 122 inside.
MAX_INSIDE_GREY = 130


@dataclass(frozen=True)
class Traits:
    """What is known of an outline.

    Attributes
    ----------
    area_share : float
        Of the image.
    axis_ratio : float
        Minor over major axis, the cephalic index.
    roughness : float
        Root mean square distance of the edge to the ellipse over the mean semi-axis.
    confidence : float
        Mean probability inside the ellipse, 0 to 1.
    support : float
        Share of the outline with an edge of the network's map beside it, 0 to 1.
    spread : float
        Standard deviation of the circumference over the image and its mirror images, as a share of their mean.
    outside_share : float
        Share of the outline that lies outside the image.
    inside_grey : float
        Median grey value inside the outline, 0 to 255.
    """

    area_share: float
    axis_ratio: float
    roughness: float
    confidence: float
    support: float
    spread: float
    outside_share: float
    inside_grey: float


NO_HEAD = "no fetal head was found in the image"


def refusal(traits: Traits) -> str | None:
    """Plain reason why the outline is not measured; None when it is."""
    if traits.area_share < MIN_AREA_SHARE:
        return "what looks like a head is too small to measure"
    if traits.outside_share > MAX_OUTSIDE_SHARE:
        return "the head is cut off by the edge of the image"
    if traits.axis_ratio < MIN_AXIS_RATIO:
        return "the outline found is too elongated for a head in the standard plane"
    if traits.roughness > MAX_ROUGHNESS:
        return "the outline found is not an ellipse"
    if traits.inside_grey > MAX_INSIDE_GREY:
        return "the inside of the outline is too bright for a fetal head in an ultrasound image"
    if traits.support < MIN_SUPPORT:
        return "the outline found is not closed"
    if traits.confidence < MIN_CONFIDENCE:
        return "the network is not sure that this is a head"
    if traits.spread > MAX_SPREAD:
        return "the image and its mirror images give different outlines; the plane may be wrong"
    return None
