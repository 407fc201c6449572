"""From an HTML form or a multipart or JSON call to one `AssessmentRequest` with its files."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from app.assessments.schemas import AssessmentRequest, ScanRequest, Uploads
from app.forms import form_of
from app.patients.schemas import PatientRequest
from app.texts import moment_in_calendar
from models.errors import InputError

# Fields that a CTG has too, so that a form names the kind before them.
TIMED = {"performed_at", "performed_at_reason", "gestational_age"}
# Flat field name of a form -> place in the request.
FIELDS: dict[str, tuple[str, ...]] = {
    "patient": ("patient", "pseudonym"),
    "must_exist": ("must_exist",),
    "must_be_clear": ("must_be_clear",),
    "fetus": ("fetus",),
    "identity_reason": ("identity_reason",),
    "ctg_features": ("ctg", "features"),
    "ctg_sampling_rate_hz": ("ctg", "sampling_rate_hz"),
    "ctg_stage": ("ctg", "stage"),
    "ctg_channel": ("ctg", "channel"),
    "ctg_less_rest": ("ctg", "stated", "less_rest"),
    "ctg_hypertonus": ("ctg", "stated", "hypertonus"),
    "ctg_absent_variability": ("ctg", "stated", "absent_variability"),
    "ctg_fetal_movements": ("ctg", "stated", "fetal_movements"),
    "ctg_high_variation": ("ctg", "stated", "high_variation"),
    "ctg_columns": ("ctg", "columns"),
    "ctg_performed_at": ("ctg", "performed_at"),
    "ctg_performed_at_reason": ("ctg", "performed_at_reason"),
    "ctg_gestational_age": ("ctg", "gestational_age"),
    "scan_performed_at": ("scan", "performed_at"),
    "scan_performed_at_reason": ("scan", "performed_at_reason"),
    "scan_gestational_age": ("scan", "gestational_age"),
    # Everything else of a scan, and how a pregnancy is dated, under its own name.
    **{name: ("scan", name) for name in ScanRequest.model_fields if name not in TIMED},
    **{name: ("patient", name) for name in PatientRequest.model_fields if name != "pseudonym"},
}
FILE_FIELDS = ("ctg", "image")


async def read_request(request: Request) -> tuple[AssessmentRequest, Uploads]:
    """Read a call of either content type.

    Raises
    ------
    InputError
        With the field at fault and what is wrong with it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        try:
            return validated(await request.json()), Uploads({}, {})
        except json.JSONDecodeError as error:
            raise InputError(f"the body is not valid JSON ({error.msg} at position {error.pos})") from None
        except UnicodeDecodeError:
            raise InputError("the body is not valid JSON (not UTF-8)") from None
        except RecursionError:
            raise InputError("the body is nested too deeply") from None
        except ValueError:
            raise InputError("the body holds a number that is too long") from None
    if kind != "multipart/form-data":
        raise InputError("send application/json or multipart/form-data")
    form = await form_of(request)
    return validated(_nested(form)), Uploads(await read_files(form, "ctg"), await read_files(form, "image"))


async def read_files(form: FormData, field: str) -> Mapping[str, bytes]:
    """Content of the chosen files of one field, by name."""
    files: dict[str, bytes] = {}
    for entry in form.getlist(field):
        if isinstance(entry, UploadFile) and entry.filename:
            name = entry.filename.replace("\\", "/").rsplit("/", 1)[-1]
            if name in files:  # scanners number their files from 1 in every folder
                name = f"{name} ({len(files) + 1})"
            files[name] = await entry.read()
    return files


def _nested(form: FormData) -> dict[str, Any]:
    allowed = {*FIELDS, *FILE_FIELDS, "csrf_token"}
    unknown = sorted(set(form) - allowed)
    if unknown:
        raise InputError(f"unknown field {unknown[0]!r}; known are {', '.join([*FIELDS, *FILE_FIELDS])}")
    for name in FIELDS:
        if len(form.getlist(name)) > 1:
            raise InputError(f"{name} was sent {len(form.getlist(name))} times: send it once")
    values: dict[str, Any] = {}
    for name, place in FIELDS.items():
        value: Any = form.get(name)
        if value is None or value == "":
            continue
        if name == "ctg_features":
            try:
                value = json.loads(value)
            except (ValueError, TypeError, RecursionError):
                raise InputError("ctg_features: not valid JSON") from None
        if name == "ctg_channel" and str(value).isdigit():
            value = int(str(value))
        if name == "calliper":
            value = [part.strip() for part in str(value).split(",")]
        if name.endswith("performed_at"):
            value = moment_of(str(value), name)
        target = values
        for step in place[:-1]:
            target = target.setdefault(step, {})
        target[place[-1]] = value
    return values


def moment_of(text: str, name: str = "performed_at") -> datetime:
    """A time as a form sends it; without a zone it is UTC. An InputError names the field."""
    moment = moment_in_calendar(name, text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def validated(values: Any) -> AssessmentRequest:
    """The request; an InputError names the field at fault and what is wrong with it."""
    try:
        return AssessmentRequest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {first['msg']}" if where else first["msg"]) from None
