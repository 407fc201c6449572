"""Whether sites can take part, asked before anything is trained: what is wrong, where, what to do."""

import json
from collections.abc import Iterable
from hashlib import sha256

from federated.plan import Plan
from models.ctg.features import DESIGN_NAMES
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.errors import FetalHealthError
from models.representation.examples import SCAN_NAMES

# Sites that learn to tell classes apart must hold more than one.
CLASSIFIED = {"ctg", "acidaemia"}


class UnfitSiteError(FetalHealthError):
    """A site cannot take part in this plan."""


def schema() -> str:
    """Fingerprint of what sites and server must agree on: columns, and the fields of a plan."""
    agreed = [DESIGN_NAMES, TRACE_FEATURE_NAMES, SCAN_NAMES, Plan.model_json_schema()]
    return sha256(json.dumps(agreed, sort_keys=True).encode()).hexdigest()[:12]


def check_held(held: Iterable[str], plan: Plan) -> None:
    """Refuse a plan that wants what no site holds.

    Raises
    ------
    UnfitSiteError
        Naming the modality.
    """
    if missing := sorted(set(plan.modalities()) - set(held)):
        raise UnfitSiteError(f"no site holds {', '.join(missing)}, which the plan trains: ask one, or drop the section")


def check_site(name: str, modality: str, wanted: Iterable[str], rows: int, classes: int, version: str) -> None:
    """Refuse a site that cannot take part.

    Parameters
    ----------
    name, modality : str
    wanted : iterable of str
        Modalities of the plan.
    rows, classes : int
        How many rows the site holds, and of how many classes.
    version : str
        The site's `schema`.

    Raises
    ------
    UnfitSiteError
        Another version, another modality, no rows, or rows of one class where classes are learned.
    """
    if version != schema():
        reason = f"its version is {version}, here it is {schema()}: install the same version everywhere"
    elif modality not in set(wanted):
        reason = f"it holds {modality}, the plan wants {', '.join(sorted(wanted))}: leave it out or add a section"
    elif rows == 0:
        reason = f"it holds no {modality} rows: give it some, or leave it out"
    elif modality in CLASSIFIED and classes < 2:
        reason = "all of its rows are of one class: give it others, or leave it out (its model could not be judged)"
    else:
        return
    raise UnfitSiteError(f"site {name}: {reason}")
