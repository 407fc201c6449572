"""Run one study: ``python -m federated.evidence uci|ctu-uhb|choices|STUDY DATA PLAN``.

Each trains the shipped recipe several times without a fifth of the women, records or examinations and appends
what it predicts for them to ``docs/evidence/oof``; ``hc18`` trains nothing, but takes the lanes of a finished run
(``--run``) whose plan it was. Documents are written from these files in a minute (``make evidence``).
"""

import argparse
from pathlib import Path

from federated.evidence import acidaemia, pattern, reconstruction
from federated.plan import load
from federated.run_folder import RunFolder
from models.datasets import ctu_uhb, hc18, uci_ctg

OUTPUT = Path("docs/evidence/oof")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "study", choices=["hc18", "hc18-arms", "uci", "ctu-uhb", "choices", "families", "image-sites", "reconstruction"]
    )
    parser.add_argument("data", type=Path, help="folder with the data sets")
    parser.add_argument("plan", type=Path)
    parser.add_argument("--run", type=Path, help="hc18: folder of a finished run of this plan")
    parser.add_argument("--parts", nargs="*", default=[], help="only these parts, to share the work among processes")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    plan = load(arguments.plan)
    if arguments.study == "families":
        from federated.evidence import families

        families.study(arguments.data, plan, arguments.output, arguments.parts)
        return
    find = {
        **dict.fromkeys(("hc18", "hc18-arms", "image-sites"), hc18.find),
        **dict.fromkeys(("uci", "reconstruction"), uci_ctg.find),
    }.get(arguments.study, ctu_uhb.find)
    where = find(arguments.data)
    if where is None:
        parser.error(f"{arguments.data}: the data set of {arguments.study} is not below this folder")
    if arguments.study == "image-sites":
        from federated.evidence import image_sites

        image_sites.study(where, plan, arguments.output, arguments.parts)
        return
    if arguments.study.startswith("hc18"):
        from federated.evidence import heads

        if arguments.study == "hc18-arms":
            heads.arms(where, plan, arguments.output, arguments.parts)
            return
        if arguments.run is None:
            parser.error("hc18 needs the folder of a finished run (--run)")
        heads.from_run(RunFolder(arguments.run), plan, where, arguments.output)
        return
    study = {
        "uci": pattern.study,
        "reconstruction": reconstruction.study,
        "ctu-uhb": acidaemia.study,
        "choices": acidaemia.choices,
    }[arguments.study]
    study(where, plan, arguments.output, arguments.parts)


if __name__ == "__main__":
    main()
