"""Changes by several hands: version of a record, one successor each, reserved keys, bundles on every server"""

import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


ALONG = ("created_at", "fetus_id")
INDEXES = (
    ("ix_woman_search_key", "woman", ["search_key"], False),
    ("ix_stored_file_sha256", "stored_file", ["sha256"], False),
    ("ix_examination_performed_at", "examination", ["performed_at"], False),
    ("ix_idempotency_key_at", "idempotency_key", ["at"], False),
    ("ix_assessment_supersedes_id", "assessment", ["supersedes_id"], True),
    ("ix_assessment_worklist", "assessment", ["standing", "priority", "id", *ALONG], False),
    ("ix_assessment_worklist_state", "assessment", ["state", "standing", "priority", "id", *ALONG], False),
    ("ix_assessment_worklist_by", "assessment", ["created_by", "standing", "priority", "id", *ALONG], False),
    ("ix_assessment_monitored", "assessment", ["site", "bundle", "id", "standing"], False),
    ("ix_audit_at", "audit", ["at", "id"], False),
    ("ix_audit_subject", "audit", ["subject", "at", "id"], False),
    ("ix_audit_user_name", "audit", ["user_name", "at", "id"], False),
)
STATES = ("high", "raised", "undecided", "cannot assess", "low")
PAGE = 200


def _by_bytes() -> sa.String:
    return sa.String(400).with_variant(sa.String(400, collation="C"), "postgresql")


def _fill_women() -> None:
    woman = sa.table("woman", sa.column("id"), sa.column("pseudonym"), sa.column("search_key"))
    connection = op.get_bind()
    changed = sa.update(woman).where(woman.c.id == sa.bindparam("number")).values(search_key=sa.bindparam("key"))
    for rows in _pages(sa.select(woman.c.id, woman.c.pseudonym), woman.c.id):
        keys = [{"number": number, "key": unicodedata.normalize("NFKC", name).casefold()} for number, name in rows]
        connection.execute(changed, keys)


def _fill_assessments() -> None:
    """What lists and monitoring read of each result."""
    assessment = sa.table(
        "assessment",
        *(sa.column(name) for name in ("id", "supersedes_id", "state", "score", "standing", "priority")),
        *(sa.column(name, sa.JSON()) for name in ("result", "row")),
        *(sa.column(name) for name in ("ctg_id", "scan_id")),
    )
    figures = sa.table("figures", sa.column("assessment_id"), sa.column("values", sa.JSON()))
    examination = sa.table("examination", sa.column("id"), sa.column("gestational_age_days"))
    review = sa.table("review", sa.column("assessment_id"))
    connection = op.get_bind()
    replaced = set(connection.scalars(sa.select(assessment.c.supersedes_id)))
    reviewed = set(connection.scalars(sa.select(review.c.assessment_id)))
    ctg, scan = examination.alias(), examination.alias()
    query = (
        sa.select(
            assessment.c.id,
            assessment.c.state,
            assessment.c.score,
            assessment.c.result,
            sa.func.coalesce(ctg.c.gestational_age_days, scan.c.gestational_age_days),
        )
        .select_from(assessment)
        .outerjoin(ctg, ctg.c.id == assessment.c.ctg_id)
        .outerjoin(scan, scan.c.id == assessment.c.scan_id)
    )
    parts = ("standing", "priority", "row")
    changed = sa.update(assessment).where(assessment.c.id == sa.bindparam("number"))
    changed = changed.values({name: sa.bindparam(f"new_{name}", type_=assessment.c[name].type) for name in parts})
    for rows in _pages(query, assessment.c.id):
        values = []
        for number, state, score, result, age_days in rows:
            rank = STATES.index(state) if state in STATES else len(STATES)
            values.append(
                {
                    "number": number,
                    "new_standing": 0 if number in replaced else 1 if number in reviewed else 2,
                    "new_priority": 1000.0 * (len(STATES) - rank) + (0.0 if score is None else 1.0 + score),
                    "new_row": _row(result, age_days),
                }
            )
        connection.execute(changed, values)
        counted = [{"assessment_id": number, "values": _figures(result)} for number, _, _, result, _ in rows]
        connection.execute(sa.insert(figures), counted)


def _pages(query: sa.Select[Any], key: sa.ColumnElement[int]) -> Iterator[list[Any]]:
    """Rows in pages, so that no more than some results are in memory."""
    last = 0
    while rows := list(op.get_bind().execute(query.where(key > last).order_by(key).limit(PAGE))):
        yield rows
        last = rows[-1][0]


def _part(result: dict[str, Any], name: str) -> dict[str, Any]:
    part = result.get(name)
    return part if isinstance(part, dict) else {}


def _row(result: dict[str, Any], age_days: int | None) -> dict[str, Any]:
    growth, distress = _part(result, "growth"), _part(result, "distress")
    reasons = result.get("state_reasons") or result.get("missing") or []
    shown = {name: growth[name] for name in ("probability", "refusal", "verdict") if name in growth}
    return {
        "why": reasons[0] if reasons else "",
        "age_days": age_days,
        "distress": {name: distress.get(name) for name in ("probability", "refusal")},
        "growth": shown | {"findings": [{"name": found["name"]} for found in growth.get("findings", [])[:1]]},
    }


def _figures(result: dict[str, Any]) -> dict[str, Any]:
    growth, distress = _part(result, "growth"), _part(result, "distress")
    detail, size = _part(distress, "detail"), _part(_part(growth, "detail"), "growth")
    sizes = size.get("sizes") or []
    return {
        "ctg_refusal": distress.get("refusal"),
        "distress": distress.get("probability"),
        "event": distress.get("event"),
        "model": detail.get("model"),
        "features": _rounded(detail.get("features")),
        "scan_refusal": growth.get("refusal"),
        "z_score": sizes[0]["z_score"] if sizes else None,
        "prior": _part(_part(result, "circumstances"), "prior").get("value"),
    }


def _rounded(features: Any) -> Any:
    if not isinstance(features, dict):
        return None
    return {name: float(f"{value:.7g}") if isinstance(value, float) else value for name, value in features.items()}


def _one_successor_each() -> None:
    """Two corrections of one assessment could both stand: the later one now replaces the earlier one."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("SELECT id, supersedes_id FROM assessment WHERE supersedes_id IS NOT NULL ORDER BY id")
    )
    last: dict[int, int] = {}
    for number, replaced in rows.all():
        while replaced in last and last[replaced] != number:
            replaced = last[replaced]
            connection.execute(
                sa.text("UPDATE assessment SET supersedes_id = :replaced WHERE id = :number"),
                {"replaced": replaced, "number": number},
            )
        last[replaced] = number


def upgrade() -> None:
    _one_successor_each()
    # With a default each column is added in place: no table is copied, and those of assessments can be large.
    op.add_column("woman", sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("woman", sa.Column("search_key", _by_bytes(), nullable=False, server_default=""))
    op.add_column("idempotency_key", sa.Column("worker", sa.String(length=120), nullable=False, server_default=""))
    op.add_column("assessment", sa.Column("standing", sa.SmallInteger(), nullable=False, server_default="2"))
    op.add_column("assessment", sa.Column("priority", sa.Float(), nullable=False, server_default="0"))
    op.add_column("assessment", sa.Column("row", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "figures",
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_figures_assessment_id_assessment")),
        sa.PrimaryKeyConstraint("assessment_id", name=op.f("pk_figures")),
    )
    _fill_women()
    _fill_assessments()
    for index in ("ix_assessment_state",):
        op.drop_index(index, "assessment")
    for index in ("ix_audit_at", "ix_audit_subject"):
        op.drop_index(index, "audit")
    for name, table, columns, unique in INDEXES:
        op.create_index(name, table, columns, unique=unique)
    op.create_table(
        "bundle_file",
        sa.Column("bundle_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundle.identifier"], name=op.f("fk_bundle_file_bundle_id_bundle")),
        sa.PrimaryKeyConstraint("bundle_id", "name", name=op.f("pk_bundle_file")),
    )


def downgrade() -> None:
    op.drop_table("bundle_file")
    op.drop_table("figures")
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table)
    op.create_index("ix_assessment_state", "assessment", ["state"])
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_subject", "audit", ["subject"])
    for table, columns in (
        ("idempotency_key", ("worker",)),
        ("assessment", ("standing", "priority", "row")),
        ("woman", ("version", "search_key")),
    ):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.drop_column(column)
