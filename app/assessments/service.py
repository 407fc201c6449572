"""From an upload to a stored assessment: read, measure, fuse, store, and write the audit row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.assessments import traces
from app.assessments.examined import check_together, check_woman, marks, one_scan, performed
from app.assessments.inference import NOTHING_EARLIER, Earlier, infer
from app.assessments.repeat import run_again
from app.assessments.review import require_open
from app.assessments.rows import parts_of
from app.assessments.scans import date_by, entered, heads_of, parameters_of, stored_heads
from app.assessments.schemas import AssessmentRequest, CtgRequest, OutlineRequest, ScaleRequest, ScanRequest, Uploads
from app.assessments.store import REPLACED, Assessment
from app.assessments.traces import reusable
from app.audit.store import record
from app.monitoring.store import born
from app.orm import now
from app.patients.service import age_at, check_known, fetus_of
from app.patients.store import Examination, Fetus, StoredFile, hold
from models.bundle import Bundle
from models.errors import FetalHealthError, InputError
from models.fusion.circumstances import Circumstances
from models.origin import Origin
from models.ultrasound.image import Scale
from models.ultrasound.interval import MEASURES
from models.version import code_version

# What is stored of a CTG request beside its files.
CTG_PARAMETERS = {"features", "sampling_rate_hz", "stage", "channel", "stated", "columns"}


@dataclass(frozen=True)
class Assessor:
    """Makes, corrects and repeats assessments; each of the three writes its audit row in the same transaction.

    Attributes
    ----------
    session : Session
        The caller commits it.
    bundle : Bundle
        The models to use.
    user : User
        Who asks.
    circumstances : Circumstances
        What the hospital decides.
    identity_key : bytes
        Of the marks of identities in files (`app.identity`).
    """

    session: Session
    bundle: Bundle
    user: User
    circumstances: Circumstances
    identity_key: bytes = b""

    def create(self, request: AssessmentRequest, uploads: Uploads) -> Assessment:
        """Assess and store.

        Raises
        ------
        InputError, FetalHealthError
            The request or a file cannot be used. Nothing is stored then, because the caller's transaction ends.
        """
        ctg_request, scan_request, uploads = usable(request, uploads)
        if request.must_exist or request.must_be_clear:
            check_known(self.session, request.patient.pseudonym, must_exist=request.must_exist)
        fetus = fetus_of(self.session, request.patient, request.fetus)
        born_at = born(self.session, fetus)
        ctg, scan, earlier = None, None, NOTHING_EARLIER
        of_ctg: list[Origin] = []
        of_scan: list[Origin] = []
        if ctg_request is not None:
            ctg, of_ctg = ctg_examination(fetus, born_at, ctg_request, uploads)
        if scan_request is not None:
            scan, of_scan = scan_examination(fetus, born_at, scan_request, uploads)
        check_together(of_ctg, of_scan)
        examined = [(each, files) for each, files in ((ctg, of_ctg), (scan, of_scan)) if each is not None]
        self.compare_identity(fetus, examined, request.identity_reason or "")
        if scan is not None and scan_request is not None and scan_request.dates_pregnancy:
            earlier = Earlier(heads=heads_of(self.bundle, scan))
            date_by(self.session, self.bundle, scan, earlier.heads or ())
        assessment = self.store(fetus, ctg, scan, earlier)
        self._audit("assessment.create", assessment, state=assessment.state)
        return assessment

    def compare_identity(self, fetus: Fetus, examined: Sequence[tuple[Examination, list[Origin]]], reason: str) -> None:
        """Compare what the files say of the woman with her earlier files, and keep the marks with each examination."""
        woman = fetus.pregnancy.woman
        hashes = [file.sha256 for examination, _ in examined for file in examination.files]
        found = marks(self.identity_key, [origin for _, origins in examined for origin in origins])
        check_woman(self.session, woman, found, hashes, reason)
        for examination, origins in examined:
            own = marks(self.identity_key, origins)
            if own:
                confirmed = {"identity_reason": reason.strip()} if reason.strip() else {}
                examination.parameters = {**examination.parameters, "identity": own, **confirmed}

    def correct(self, assessment: Assessment, changes: Mapping[str, Any], reason: str) -> Assessment:
        """Assess the same scan again with some parameters changed; the old assessment stays, marked as replaced.

        The CTG is not analysed again and the images are not segmented again where bundle and code are the same.

        Parameters
        ----------
        changes : mapping
            Parameters of the scan: a typed measure, or what `outline_of` and `scale_of` return.

        Raises
        ------
        FetalHealthError
            The assessment is signed or replaced, or has no scan.
        InputError
            There is no reason, or the changed values cannot be used.
        """
        require_open(self.session, assessment)
        old = assessment.scan
        if old is None:
            raise FetalHealthError("this assessment has no scan to correct")
        if not reason.strip():
            raise InputError("say why the measurement is replaced")
        earlier = Earlier(
            ctg=reusable(assessment, self.bundle, self.circumstances), heads=stored_heads(assessment, self.bundle)
        )
        ctg = assessment.ctg
        scan = old.again(parameters={**old.parameters, **changes})
        return self.replace(assessment, ctg, scan, earlier, reason, *changes)

    def replace(
        self,
        assessment: Assessment,
        ctg: Examination | None,
        scan: Examination | None,
        earlier: Earlier,
        reason: str,
        *changed: str,
    ) -> Assessment:
        """Assess these examinations and store the result as the one that replaces `assessment`."""
        newer = self.store(assessment.fetus, ctg, scan, earlier, assessment.id, reason.strip()[:400])
        self._audit("assessment.correct", newer, replaces=assessment.id, changed=sorted(changed))
        return newer

    def repeat(self, assessment: Assessment) -> list[str]:
        """Compute a stored assessment again from its files and list where it differs; nothing is stored but the audit.

        `bundle` must be the one that the assessment names; the circumstances are those stored with it.

        Raises
        ------
        FetalHealthError
            It was stored by a version that did not store the circumstances.
        """
        lines = run_again(self.session, self.bundle, assessment)
        self._audit("assessment.repeat", assessment, same=not lines)
        return lines

    def store(
        self,
        fetus: Fetus,
        ctg: Examination | None,
        scan: Examination | None,
        earlier: Earlier,
        supersedes: int | None = None,
        reason: str | None = None,
    ) -> Assessment:
        """Infer, and only then hold the woman's record and write; an OutdatedError where it changed meanwhile."""
        examinations = [examination for examination in (ctg, scan) if examination is not None]
        aged = next((e.gestational_age_days for e in examinations if e.gestational_age_days is not None), None)
        woman = fetus.pregnancy.woman
        circumstances = replace(self.circumstances, fetuses=max(len(fetus.pregnancy.fetuses), 1))
        result = infer(self.session, self.bundle, ctg, scan, circumstances, earlier)
        if woman.id is not None:
            hold(self.session, woman, seen=woman.version)
        self.session.add_all(examinations)
        self.session.flush()
        if supersedes is not None:
            self.session.get_one(Assessment, supersedes).standing = REPLACED
        assessment = Assessment(
            fetus_id=fetus.id,
            ctg_id=ctg.id if ctg else None,
            scan_id=scan.id if scan else None,
            bundle=self.bundle.identifier,
            site=circumstances.hospital,
            code_version=code_version(),
            input_hashes=_hashes(examinations),
            **parts_of(result["state"], result["score"], result, aged),
            created_at=now(),
            created_by=self.user.name,
            supersedes_id=supersedes,
            correction_reason=reason,
        )
        self.session.add(assessment)
        self.session.flush()
        return assessment

    def _audit(self, action: str, assessment: Assessment, **detail: Any) -> None:
        record(self.session, self.user, action, woman=assessment.woman, assessment=assessment.id, **detail)


def usable(request: AssessmentRequest, uploads: Uploads) -> tuple[CtgRequest | None, ScanRequest | None, Uploads]:
    """The CTG and the scan that a request holds, each None where there is none, and the files.

    Raises
    ------
    InputError
        There is nothing to assess, or one examination comes in two forms.
    """
    ctg, scan, uploads = sent(request, uploads)
    if scan is None and request.scan is not None and request.scan.stated:
        raise InputError(f"{request.scan.stated[0]} needs an image or a typed measure beside it")
    if ctg is None and scan is None:
        raise InputError("nothing to assess: send a CTG (file or features), an ultrasound image, or typed measures")
    return ctg, scan, uploads


def sent(request: AssessmentRequest, uploads: Uploads) -> tuple[CtgRequest | None, ScanRequest | None, Uploads]:
    """The CTG and the scan that are there to be assessed, and the files; a JSON trace becomes one.

    Raises
    ------
    InputError
        A CTG comes in two forms.
    """
    ctg = request.ctg or (CtgRequest() if uploads.ctg else None)
    if ctg is not None and ctg.trace is not None:
        if uploads.ctg:
            raise InputError("send either a CTG file or a CTG trace, not both")
        uploads = Uploads({"trace.json": ctg.trace.model_dump_json(exclude_none=True).encode()}, uploads.image)
    if ctg is not None and uploads.ctg and ctg.features is not None:
        raise InputError("send either a CTG file or CTG features, not both")
    if ctg is not None and not uploads.ctg and ctg.features is None:
        ctg = None
    scan = request.scan or (ScanRequest() if uploads.image else None)
    if scan is not None and not uploads.image and not scan.typed:
        scan = None
    return ctg, scan, uploads


def _hashes(examinations: Sequence[Examination]) -> dict[str, str]:
    """SHA-256 of what was sent: of the original files of a CTG, and of the images as they are stored."""
    hashes: dict[str, str] = {}
    for examination in examinations:
        stored = {file.name: file.sha256 for file in examination.files}
        hashes |= examination.parameters.get("originals") or stored
    return hashes


def ctg_examination(
    fetus: Fetus, born_at: datetime | None, request: CtgRequest, uploads: Uploads
) -> tuple[Examination, list[Origin]]:
    """A CTG with its time and age, and what its files say of time and person; raises as `Assessor.create`."""
    parameters, files, origins = request.model_dump(mode="json", include=CTG_PARAMETERS), [], []
    if uploads.ctg:
        file, beside, recordings = traces.entered(request, uploads.ctg)
        files, origins = [file], [recordings[0].origin]
        parameters |= beside
    return _examination(fetus, born_at, "ctg", request, parameters, files, origins), origins


def scan_examination(
    fetus: Fetus, born_at: datetime | None, request: ScanRequest, uploads: Uploads
) -> tuple[Examination, list[Origin]]:
    """A scan with its time and age, and what its files say of time and person; raises as `Assessor.create`."""
    files, beside, by_file = entered(request, uploads.image)
    beside["file_remarks"] += one_scan(by_file)
    parameters, origins = {**parameters_of(request), **beside}, list(by_file.values())
    return _examination(fetus, born_at, "scan", request, parameters, files, origins), origins


def _examination(
    fetus: Fetus,
    born_at: datetime | None,
    kind: Literal["ctg", "scan"],
    request: CtgRequest | ScanRequest,
    parameters: dict[str, Any],
    files: list[StoredFile],
    origins: Sequence[Origin],
) -> Examination:
    """An examination with its time, and the age at that time."""
    when = performed(kind, request.performed_at, request.performed_at_reason or "", origins, fetus, born_at)
    days, source = age_at(fetus.pregnancy, when.at, request.gestational_age)
    return Examination(
        fetus=fetus,
        kind=kind,
        performed_at=when.at,
        gestational_age_days=days,
        age_source=source,
        parameters={**parameters, **when.beside, "time_warnings": when.warnings},
        files=files,
    )


def outline_of(request: OutlineRequest, user: User) -> dict[str, Any]:
    """The drawn outline with its author and time, as a change for `Assessor.correct`.

    It also replaces a typed head circumference or diameter.
    """
    values = request.model_dump(exclude={"image", "reason"})
    if values["semi_minor"] > values["semi_major"]:
        raise InputError("the minor semi-axis is longer than the major one")
    drawn = {"image": request.image, "ellipse": values, "by": user.name, "at": now().isoformat()}
    return {"outline": drawn, **dict.fromkeys(MEASURES)}


def scale_of(request: ScaleRequest, scan: Examination | None) -> dict[str, Any]:
    """The stated scale of one image, as a change for `Assessor.correct`.

    Raises
    ------
    InputError
        No scale is given, there is no such image, or the file itself states the scale.
    """
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
