"""Reading a request: its form with limits that hold before anything is read, and its query without surprises."""

from fastapi import Request
from fastapi.dependencies.utils import get_flat_dependant
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from app.texts import CONTROL_IN_JSON, refuse_control
from models.errors import InputError

MOST_FILES, MOST_FIELDS = 64, 200
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def refuse_hostile(request: Request) -> None:
    """Refuse control characters, in whatever part of a request they stand.

    Raises
    ------
    InputError
        It names the place.
    """
    refuse_control("the address", request.url.path)
    for name, value in request.query_params.multi_items():
        refuse_control(f"query parameter {name[:40]!r}", name + value)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in FORMS:
        for name, entry in (await form_of(request)).multi_items():
            text = entry if isinstance(entry, str) else entry.filename or ""
            refuse_control(name[:40] or "a field", name + text)
    elif kind.endswith("json") and CONTROL_IN_JSON.search(await request.body()):
        raise InputError("the body holds a control character; remove it")


async def form_of(request: Request) -> FormData:
    """The form of a request.

    Raises
    ------
    InputError
        It has too many files or fields, or cannot be read.
    """
    try:
        return await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise InputError(f"the form cannot be read: {error.detail}") from None


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
