"""REST API under ``/api/v1``: the routes of every part of the application, and their OpenAPI description."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.utils import get_flat_dependant

from app.accounts.guards import AnyUser
from app.assessments import api as assessments
from app.assessments.schemas import AssessmentRequest
from app.bundles import api as bundles
from app.patients import api as patients
from app.retraining import api as retraining
from models.errors import InputError


def only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have: nothing that was sent is ignored.

    Raises
    ------
    InputError
        It names the parameter and those that are known.
    """
    names = sorted({field.alias for field in get_flat_dependant(request.scope["route"].dependant).query_params})
    for name in request.query_params:
        if name not in names:
            raise InputError(f"unknown query parameter {name!r}; known are {', '.join(names) or 'none'}")
        if len(request.query_params.getlist(name)) > 1:
            raise InputError(f"query parameter {name!r} was sent more than once")


router = APIRouter(dependencies=[Depends(only_known_parameters)])
for part in (patients, assessments, bundles, retraining):
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
