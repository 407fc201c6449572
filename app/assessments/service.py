"""From an upload to a stored assessment: parse, measure, fuse, keep."""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.assessments.repeat import run, run_again
from app.assessments.review import refuse_closed
from app.assessments.scans import date_by, entered, parameters_of
from app.assessments.schemas import AssessmentRequest, CtgRequest, OutlineRequest, ScaleRequest, ScanRequest, Uploads
from app.assessments.store import Assessment
from app.audit.store import record
from app.database import now
from app.monitoring.service import watch
from app.monitoring.store import born
from app.patients.service import age_at, fetus_of
from app.patients.store import Examination, Fetus, StoredFile
from models.bundle import Bundle
from models.errors import FetalHealthError, InputError, RangeError
from models.fusion.circumstances import Circumstances
from models.ultrasound.image import Scale
from models.ultrasound.interval import MEASURES
from models.version import code_version

# More inferences at once than cores only take memory.
_cores = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))
# What is kept of a CTG request beside its files.
CTG_PARAMETERS = {"features", "sampling_rate_hz", "stage", "channel", "stated"}
# After so many assessments drift is looked at, also where nobody opens the page.
WATCH_EVERY = 20


@dataclass(frozen=True)
class Assessor:
    """Makes assessments in one transaction, with one bundle, for one user; each writes its row of the audit.

    Attributes
    ----------
    session : Session
    bundle : Bundle
        To repeat an assessment: the one that it names.
    user : User
    circumstances : Circumstances
        What the hospital has decided: prior, how long a scan counts, its name.
    """

    session: Session
    bundle: Bundle
    user: User
    circumstances: Circumstances

    def create(self, request: AssessmentRequest, uploads: Uploads) -> Assessment:
        """Assess and store.

        Raises
        ------
        InputError, FetalHealthError
            The request or a file cannot be used. Nothing is stored then, for the caller's transaction ends.
        """
        ctg_request, scan_request, uploads = _checked(request, uploads)
        fetus = fetus_of(self.session, request.patient, request.fetus)
        born_at = born(self.session, fetus)
        ctg = scan = None
        if ctg_request is not None:
            parameters = ctg_request.model_dump(mode="json", include=CTG_PARAMETERS)
            files = [StoredFile(name=n[:120], sha256=sha256(c).hexdigest(), content=c) for n, c in uploads.ctg.items()]
            ctg = _examination(fetus, born_at, ctg_request, kind="ctg", parameters=parameters, files=files)
        if scan_request is not None:
            files, scales = entered(scan_request, uploads.image)
            parameters = {**parameters_of(scan_request), "scales": scales}
            scan = _examination(fetus, born_at, scan_request, kind="scan", parameters=parameters, files=files)
            if scan_request.dates_pregnancy:
                self.session.add(scan)
                date_by(self.session, self.bundle, fetus.pregnancy, scan)
        assessment = self._store(fetus, ctg, scan)
        self._record("assessment.create", assessment, state=assessment.state)
        return assessment

    def correct(self, assessment: Assessment, changes: Mapping[str, Any], reason: str) -> Assessment:
        """Assess the same scan again with some of its parameters changed; the old assessment stays, as replaced.

        Parameters
        ----------
        assessment : Assessment
        changes : mapping
            Parameters of the scan: a typed measure, or what `outline_of` and `scale_of` return.
        reason : str

        Raises
        ------
        InputError, FetalHealthError
            There is no scan or no reason, or the assessment is signed or replaced.
        """
        refuse_closed(self.session, assessment)
        old = assessment.scan
        if old is None:
            raise FetalHealthError("this assessment has no scan to correct")
        if not reason.strip():
            raise InputError("say why the measurement is replaced")
        ctg = assessment.ctg
        files = [StoredFile(name=file.name, sha256=file.sha256, content=file.content) for file in old.files]
        scan = Examination(
            fetus=assessment.fetus,
            kind="scan",
            performed_at=old.performed_at,
            gestational_age_days=old.gestational_age_days,
            age_source=old.age_source,
            parameters={**old.parameters, **changes},
            files=files,
        )
        corrected = self._store(assessment.fetus, ctg, scan)
        corrected.supersedes_id, corrected.correction_reason = assessment.id, reason.strip()[:400]
        self.session.flush()
        self._record("assessment.correct", corrected, replaces=assessment.id, changed=sorted(changes))
        return corrected

    def repeat(self, assessment: Assessment) -> list[str]:
        """Assess again from the stored inputs, and return what differs; nothing is stored.

        Raises
        ------
        FetalHealthError
            The assessment was stored by a version that did not store the circumstances.
        """
        lines = run_again(self.session, self.bundle, assessment)
        self._record("assessment.repeat", assessment, same=not lines)
        return lines

    def _store(self, fetus: Fetus, ctg: Examination | None, scan: Examination | None) -> Assessment:
        self.session.add_all([examination for examination in (ctg, scan) if examination is not None])
        with _cores:
            here = replace(self.circumstances, fetuses=max(len(fetus.pregnancy.fetuses), 1))
            result = run(self.session, self.bundle, ctg, scan, here)
        self.session.flush()
        hashes = {file.name: file.sha256 for examination in (ctg, scan) if examination for file in examination.files}
        assessment = Assessment(
            fetus_id=fetus.id,
            ctg_id=ctg.id if ctg else None,
            scan_id=scan.id if scan else None,
            bundle=self.bundle.identifier,
            site=self.circumstances.site,
            code_version=code_version(),
            input_hashes=hashes,
            state=result.state,
            score=result.score,
            result=result.as_dict(),
            created_at=now(),
            created_by=self.user.name,
        )
        self.session.add(assessment)
        self.session.flush()
        if assessment.id % WATCH_EVERY == 0:
            watch(self.session, assessment.site, self.bundle)
        return assessment

    def _record(self, action: str, assessment: Assessment, **detail: Any) -> None:
        subject = assessment.woman.pseudonym
        record(self.session, self.user, action, subject=subject, assessment=assessment.id, **detail)


def _checked(request: AssessmentRequest, uploads: Uploads) -> tuple[CtgRequest | None, ScanRequest | None, Uploads]:
    """Return what is to be assessed; refuse a request that holds nothing, or one thing twice."""
    ctg_request = request.ctg or (CtgRequest() if uploads.ctg else None)
    if ctg_request is not None and ctg_request.trace is not None:
        if uploads.ctg:
            raise InputError("send either a CTG file or a CTG trace, not both")
        content = ctg_request.trace.model_dump_json(exclude_none=True).encode()
        uploads = Uploads({"trace.json": content}, uploads.image)
    scan_request = request.scan or (ScanRequest() if uploads.image else None)
    if ctg_request is not None and not uploads.ctg and ctg_request.features is None:
        ctg_request = None
    if scan_request is not None and not uploads.image and not scan_request.typed:
        if scan_request.stated:
            raise InputError(f"{scan_request.stated[0]} needs an image or a typed measure beside it")
        scan_request = None
    if ctg_request is None and scan_request is None:
        raise InputError("nothing to assess: send a CTG (file or features), an ultrasound image, or typed measures")
    if ctg_request is not None and uploads.ctg and ctg_request.features is not None:
        raise InputError("send either a CTG file or CTG features, not both")
    return ctg_request, scan_request, uploads


def outline_of(request: OutlineRequest, user: User) -> dict[str, Any]:
    """The drawn outline with its author and time, as a change for `correct`; it replaces a typed head as well."""
    values = request.model_dump(exclude={"image", "reason"})
    if values["semi_minor"] > values["semi_major"]:
        raise InputError("the minor semi-axis is longer than the major one")
    drawn = {"image": request.image, "ellipse": values, "by": user.name, "at": now().isoformat()}
    return {"outline": drawn, **dict.fromkeys(MEASURES)}


def scale_of(request: ScaleRequest, scan: Examination | None) -> dict[str, Any]:
    """The stated scale of one image, as a change for `correct`; a scale that the file stated is not overruled."""
    pixel_size_mm, source = Scale(request.pixel_size_mm, request.calliper).stated()
    if pixel_size_mm is None:
        raise InputError("give a pixel size or a calliper of known length")
    scales = [dict(scale) for scale in (scan.parameters.get("scales", []) if scan else [])]
    if request.image >= len(scales):
        raise InputError(f"there is no image {request.image + 1} to scale")
    if scales[request.image]["source"] == "DICOM region":
        raise InputError("the file states this image's scale")
    scales[request.image] = {"pixel_size_mm": pixel_size_mm, "source": source}
    return {"scales": scales}


def _examination(
    fetus: Fetus,
    born_at: datetime | None,
    request: CtgRequest | ScanRequest,
    *,
    kind: str,
    parameters: dict[str, Any],
    files: list[StoredFile],
) -> Examination:
    moment = request.performed_at or now()
    if born_at is not None and moment > born_at:
        raise RangeError(f"the {kind} of {moment:%Y-%m-%d %H:%M} UTC is after the birth ({born_at:%Y-%m-%d %H:%M} UTC)")
    days, source = age_at(fetus.pregnancy, moment, request.gestational_age)
    return Examination(
        fetus=fetus,
        kind=kind,
        performed_at=moment,
        gestational_age_days=days,
        age_source=source,
        parameters=parameters,
        files=files,
    )
