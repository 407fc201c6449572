"""REST API under ``/api/v1``: the routes of every part of the application, and their OpenAPI description."""

from typing import Any

from fastapi import APIRouter, Depends, Request

from app.accounts.guards import AnyUser
from app.assessments import api as assessments
from app.assessments.schemas import AssessmentRequest
from app.audit import api as audit
from app.bundles import api as bundles
from app.forms import only_known_parameters
from app.monitoring import api as monitoring
from app.patients import api as patients
from app.retraining import api as retraining

router = APIRouter(dependencies=[Depends(only_known_parameters)])
for part in (patients, assessments, bundles, retraining, monitoring, audit):
    router.include_router(part.router)


@router.get("/api/v1/openapi.json", include_in_schema=False)
def openapi(request: Request, user: AnyUser) -> dict[str, Any]:
    """The OpenAPI description."""
    return schema(request.app)


def schema(app: Any) -> dict[str, Any]:
    """OpenAPI with the assessment's JSON body among the components."""
    document: dict[str, Any] = app.openapi()
    definitions = AssessmentRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    components = document["components"]["schemas"]
    for name, definition in definitions.pop("$defs", {}).items():
        components.setdefault(name, definition)
    components.setdefault("AssessmentRequest", definitions)
    return document
