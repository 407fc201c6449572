"""Whether sites can take part in a plan. Checked before training; a refusal names site, reason and remedy."""

import json
from collections.abc import Iterable
from hashlib import sha256

from federated.plan import Plan
from models.ctg.features import DESIGN_NAMES
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.errors import FetalHealthError
from models.representation.examples import SCAN_NAMES

# Sites of these modalities train classifiers, so that they need rows of more than one class.
CLASSIFIED = {"ctg", "acidaemia", "grader"}


class IneligibleSiteError(FetalHealthError):
    """A site cannot take part in this plan."""


def schema() -> str:
    """Hash of what must be the same at sites and server: the columns, and the fields of a plan."""
    common = [DESIGN_NAMES, TRACE_FEATURE_NAMES, SCAN_NAMES, Plan.model_json_schema()]
    return sha256(json.dumps(common, sort_keys=True).encode()).hexdigest()[:12]


def check_modalities(present: Iterable[str], plan: Plan) -> None:
    """Refuse a plan that trains on a modality that no site has.

    Raises
    ------
    IneligibleSiteError
        The message names the modality.
    """
    if missing := sorted(set(plan.modalities()) - set(present)):
        raise IneligibleSiteError(
            f"no site holds {', '.join(missing)}, which the plan trains: ask one, or drop the section"
        )


def check_site(name: str, modality: str, wanted: Iterable[str], rows: int, classes: int, version: str) -> None:
    """Refuse a site that cannot take part in a plan.

    Parameters
    ----------
    name, modality : str
    wanted : iterable of str
        Modalities of the plan.
    rows, classes : int
        Number of the site's rows, and of the classes among them.
    version : str
        The site's `schema`.

    Raises
    ------
    IneligibleSiteError
        The site has another version, another modality, no rows, or rows of one class only although classes are learned.
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
    raise IneligibleSiteError(f"site {name}: {reason}")
