"""Every table, for the migrations."""

from app import idempotency
from app.accounts import attempts
from app.accounts import store as accounts
from app.assessments import store as assessments
from app.audit import chain
from app.audit import store as audit
from app.bundles import store as bundles
from app.monitoring import store as monitoring
from app.patients import store as patients
from app.retraining import store as retraining

__all__ = [
    "accounts",
    "assessments",
    "attempts",
    "audit",
    "bundles",
    "chain",
    "idempotency",
    "monitoring",
    "patients",
    "retraining",
]
