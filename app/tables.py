"""Every table, for the migrations."""

from app.accounts import store as accounts
from app.assessments import store as assessments
from app.audit import store as audit
from app.jobs import store as jobs
from app.monitoring import store as monitoring
from app.patients import store as patients
from app.registry import store as registry

__all__ = ["accounts", "assessments", "audit", "jobs", "monitoring", "patients", "registry"]
