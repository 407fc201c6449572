"""XGBoost without its scikit-learn wrapper, which this project does not use.

`import xgboost` also imports scikit-learn, scipy.stats and, where it is installed, pandas. That takes longer than
everything else that a server needs before its first assessment. XGBoost works without scikit-learn, so scikit-learn
is made to look absent while XGBoost is imported. If scikit-learn is loaded already, nothing is gained or changed.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["xgboost"]


def _without_scikit_learn() -> ModuleType:
    hide = "sklearn" not in sys.modules
    if hide:
        sys.modules["sklearn"] = None  # type: ignore[assignment]  # makes `import sklearn` raise ImportError
    try:
        import xgboost
    finally:
        if hide:
            del sys.modules["sklearn"]
    library: ModuleType = xgboost
    return library


if TYPE_CHECKING:
    import xgboost
else:
    xgboost = _without_scikit_learn()
