"""Run one study: ``python -m federated.evidence STUDY DATA PLAN``.

Each trains a recipe several times without a fifth of the women, records or examinations and appends what it predicts
for them to ``docs/evidence/oof``; ``hc18`` trains nothing, but takes the lanes of a finished run (``--run``) whose
plan it was. Documents are written from these files in a minute (``make evidence``).
"""

import argparse
from importlib import import_module
from pathlib import Path

from federated.plan import load
from federated.run_folder import RunFolder
from models.datasets import ctu_uhb, hc18, uci_ctg

OUTPUT = Path("docs/evidence/oof")
# Where each study's data set is found (None: it looks for several itself), its module and its function.
STUDIES = {
    "uci": (uci_ctg.find, "pattern", "study"),
    "ctu-uhb": (ctu_uhb.find, "acidaemia", "study"),
    "choices": (ctu_uhb.find, "acidaemia", "choices"),
    "hc18": (hc18.find, "heads", "from_run"),
    "hc18-arms": (hc18.find, "heads", "arms"),
    "image-sites": (hc18.find, "image_sites", "study"),
    "private-heads": (hc18.find, "private_heads", "study"),
    "families": (None, "families", "study"),
    "reconstruction": (uci_ctg.find, "reconstruction", "study"),
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=sorted(STUDIES))
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("plan", type=Path)
    parser.add_argument("--run", type=Path, help="hc18: folder of a finished run of this plan")
    parser.add_argument("--parts", nargs="*", default=[], help="only these parts, to share the work among processes")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    find, module, function = STUDIES[arguments.study]
    plan = load(arguments.plan)
    where = find(arguments.data) if find else arguments.data
    if where is None:
        parser.error(f"{arguments.data}: the data set of {arguments.study} is not below this folder")
    study = getattr(import_module(f"federated.evidence.{module}"), function)
    if arguments.study != "hc18":
        study(where, plan, arguments.output, arguments.parts)
        return
    if arguments.run is None:
        parser.error("hc18 needs the folder of a finished run (--run)")
    study(RunFolder(arguments.run), plan, where, arguments.output)


if __name__ == "__main__":
    main()
