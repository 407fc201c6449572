"""Where the rows of a training came from, for the manifest of the candidate bundle."""

from pathlib import Path
from typing import Any

from federated.sites.site import Site
from models.bundle import file_hash
from models.datasets import ctu_uhb, hc18, panel, uci_ctg
from models.synthetic.datasets import is_synthetic

SOURCES = {
    "ctg": ("UCI Cardiotocography", "CC BY 4.0", "doi:10.24432/C51S4N", uci_ctg.input_files),
    "acidaemia": ("CTU-UHB", ctu_uhb.LICENCE, "doi:10.13026/C22013", ctu_uhb.input_files),
    "grader": ("panel readings", panel.LICENCE, "the hospital's own panel", panel.input_files),
    "ultrasound": ("HC18", "CC BY 4.0", "doi:10.5281/zenodo.1327317", hc18.input_files),
}


def provenance(sites: list[Site]) -> list[dict[str, Any]]:
    """Describe each data set, with the hashes of the files that it was read from."""
    entries: list[dict[str, Any]] = []
    for modality, (name, licence, citation, input_files) in SOURCES.items():
        members = [site for site in sites if site.modality == modality]
        if not members:
            continue
        folder = Path(members[0].data)
        synthetic = is_synthetic(folder)
        entries.append(
            {
                "name": f"synthetic, in the layout of {name}" if synthetic else name,
                "modality": modality,
                "licence": "none needed" if synthetic else licence,
                "citation": "generated" if synthetic else citation,
                "rows": sum(site.rows for site in members),
                "groups": sum(len(site.groups) for site in members),
                "files": [{"name": path.name, "sha256": file_hash(path)} for path in input_files(folder)],
            }
        )
    return entries
