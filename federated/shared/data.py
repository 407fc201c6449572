"""The examples of a simulated site for the shared representation."""

from pathlib import Path

import numpy as np

from federated.plan import Plan
from federated.shared.tasks import scan_examples, table_examples, trace_examples
from federated.sites.data import birth_rows, ctg_rows, head_rows
from federated.sites.site import Site
from models.bundle import Bundle, shipped
from models.datasets.hc18 import HeadImage
from models.representation.examples import Examples
from models.ultrasound.biometry import axes_mm


def site_examples(site: Site, plan: Plan) -> Examples:
    """Read the site's rows and prepare them as examples."""
    assert plan.shared is not None
    if site.modality == "ctg":
        return table_examples(ctg_rows(site), plan.shared)
    if site.modality == "acidaemia":
        births = birth_rows(site)
        return trace_examples(births.names, births.ph, births.features, births.birth_z)
    records = [record for record in head_rows(site) if record.same_frame_as is None]
    reference = np.array([record.head_circumference_mm for record in records])
    names, examinations = [record.name for record in records], [record.examination for record in records]
    return scan_examples(names, examinations, reference, measured_heads(records, Path(site.bundle or shipped())))


def measured_heads(records: list[HeadImage], bundle: Path) -> dict[str, dict[str, float]]:
    """Measure heads by the bundle in service, mm; refused images are left out."""
    segmenter = Bundle(bundle).segmenter
    heads = {}
    for record in records:
        head = segmenter.head(record.pixels)
        if head.ellipse is not None and head.refusal is None:
            heads[record.name] = axes_mm(head.ellipse, record.pixel_size_mm)
    return heads
