"""Reading the form of a request, with limits that hold before anything is read."""

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from models.errors import InputError

MOST_FILES, MOST_FIELDS = 64, 200


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
