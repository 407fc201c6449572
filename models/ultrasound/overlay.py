"""The outline over the image as a picture, and a measurement in words."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from models.growth import delphi
from models.growth.measures import BPD, HC, LABELS, OFD
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.image import UltrasoundImage

OUTLINE_COLOUR = (255, 196, 0)
CALLIPER_COLOUR = (80, 200, 255)


def draw(image: UltrasoundImage, head: HeadEllipse) -> bytes:
    """The image with outline and callipers (OFD along, BPD across) as PNG; the reason where it is not measured."""
    picture = Image.fromarray(image.pixels).convert("RGB")
    canvas = ImageDraw.Draw(picture)
    width = max(1, round(image.width / 400))
    if head.ellipse is not None:
        e = head.ellipse
        outline = [(float(x), float(y)) for x, y in e.points(240)]
        canvas.line([*outline, outline[0]], fill=OUTLINE_COLOUR, width=width)
        along = np.array([np.cos(e.angle), np.sin(e.angle)])
        centre = np.array([e.centre_x, e.centre_y])
        for half in (e.semi_major * along, e.semi_minor * along[::-1] * (-1, 1)):
            (x0, y0), (x1, y1) = centre - half, centre + half
            canvas.line([(x0, y0), (x1, y1)], fill=CALLIPER_COLOUR, width=width)
    if head.refusal:
        canvas.text((8, image.height - 24), f"cannot assess: {head.refusal}", fill=OUTLINE_COLOUR)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def lines(detail: Mapping[str, Any]) -> list[str]:
    """A scan's measures, judged where an age was given, a line each.

    Parameters
    ----------
    detail : dict
        As `models.fusion.growth.growth_part` leaves it.
    """
    text = []
    for number, image in enumerate(detail.get("images", []), start=1):
        scale = (
            f"{image['pixel_size_mm']:.4g} mm a pixel ({image['scale_source']})"
            if image["pixel_size_mm"]
            else "no scale"
        )
        text.append(f"image {number}: {image['width']} x {image['height']}, {scale}, {image['refusal'] or 'measured'}")
    head = detail.get("measurement")
    if head is None:
        return [*text, f"cannot assess: {detail['refusal']}"]
    for measure in (HC, BPD, OFD):
        low, high = head["intervals"][measure]
        text.append(
            f"{LABELS[measure].lower()} {head['values'][measure]:.1f} mm (90 % interval {low:.1f} to {high:.1f})"
        )
    for age in detail.get("ages", []):
        used = " and ".join(LABELS[measure].lower() for measure in age["measures"])
        weeks, days = divmod(round(age["days"]), 7)
        text.append(f"age by {used}: {weeks}+{days} weeks ({age['formula']})")
    growth = detail.get("growth")
    return [*text, *(_judged(growth) if growth else [f"cephalic index {head['cephalic_index']:.2f}"])]


def _judged(growth: Mapping[str, Any]) -> list[str]:
    text = []
    for size in growth["sizes"]:
        label, small, large = LABELS[size["measure"]].lower(), size["probability_small"], size["probability_large"]
        source = f"{size['standard']}{'; second-hand coefficients' if size['second_hand'] else ''}"
        text.append(f"{label}: z {size['z_score']:+.2f}, centile {size['centile_text']} ({source})")
        text.append(f"  probability below the 3rd centile {small:.3f}, above the 97th {large:.3f}")
    text += [f"{ratio['name']} {ratio['value']:.2f}: {ratio['remark']}" for ratio in growth["ratios"]]
    answer = growth["delphi"]
    text.append(f"{delphi.RULES} ({answer['phase']}): {answer['verdict']}: {answer['reason']}")
    return [*text, *(f"not judged: {line}" for line in growth["not_judged"])]
