"""Mistakes undone: entered in error, women merged and renamed, names that are taken for each other"""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NEW = re.compile(r"[^\W_][\w .:-]*")
ALIKE = str.maketrans({"o": "0", "i": "1", "l": "1"})
PAGE = 1000
WITHDRAWN = ("withdrawn_at", "withdrawn_by", "withdrawn_reason")


def _without_zeros(text: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def _fill_women() -> None:
    """Forms of every pseudonym; a second woman of one form, and a name that no address can hold, get no unique one."""
    woman = sa.table("woman", *(sa.column(name) for name in ("id", "pseudonym", "unique_key", "alike", "alike_joined")))
    connection = op.get_bind()
    forms = {name: sa.bindparam(f"new_{name}") for name in ("unique_key", "alike", "alike_joined")}
    changed = sa.update(woman).where(woman.c.id == sa.bindparam("number")).values(**forms)
    seen: set[str] = set()
    last = 0
    query = sa.select(woman.c.id, woman.c.pseudonym).order_by(woman.c.id).limit(PAGE)
    while rows := list(connection.execute(query.where(woman.c.id > last))):
        values = []
        for number, name in rows:
            key = unicodedata.normalize("NFKC", name).casefold()[:400].strip()
            groups = re.split(r"[\W_]+", key.translate(ALIKE))
            usable = NEW.fullmatch(name) is not None and key not in seen
            seen.add(key)
            values.append(
                {
                    "number": number,
                    "new_unique_key": key if usable else None,
                    "new_alike": "".join(map(_without_zeros, groups)),
                    "new_alike_joined": _without_zeros("".join(groups)),
                }
            )
        connection.execute(changed, values)
        last = rows[-1][0]


def _fill_audit() -> None:
    op.execute(
        "UPDATE audit SET woman_id = (SELECT id FROM woman WHERE woman.pseudonym = audit.subject) WHERE subject <> ''"
    )


def upgrade() -> None:
    text = sa.String(length=400)
    with op.batch_alter_table("woman") as batch_op:
        batch_op.add_column(sa.Column("unique_key", text, nullable=True))
        batch_op.add_column(sa.Column("alike", text, nullable=False, server_default=""))
        batch_op.add_column(sa.Column("alike_joined", text, nullable=False, server_default=""))
        batch_op.add_column(sa.Column("merged_into_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("merged", sa.JSON(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_woman_merged_into_id_woman"), "woman", ["merged_into_id"], ["id"])
    op.add_column("assessment", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("assessment", sa.Column("withdrawn_by", sa.String(length=80), nullable=True))
    op.add_column("assessment", sa.Column("withdrawn_reason", sa.String(length=400), nullable=True))
    op.add_column("audit", sa.Column("woman_id", sa.Integer(), nullable=True))
    _fill_women()
    _fill_audit()
    with op.batch_alter_table("woman") as batch_op:
        batch_op.create_unique_constraint(op.f("uq_woman_unique_key"), ["unique_key"])
    for name in ("alike", "alike_joined", "merged_into_id"):
        op.create_index(f"ix_woman_{name}", "woman", [name])
    op.create_index("ix_audit_woman", "audit", ["woman_id", "at", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_woman", "audit")
    with op.batch_alter_table("audit") as batch_op:
        batch_op.drop_column("woman_id")
    with op.batch_alter_table("assessment") as batch_op:
        for column in WITHDRAWN:
            batch_op.drop_column(column)
    for name in ("alike", "alike_joined", "merged_into_id"):
        op.drop_index(f"ix_woman_{name}", "woman")
    with op.batch_alter_table("woman") as batch_op:
        batch_op.drop_constraint(op.f("fk_woman_merged_into_id_woman"), type_="foreignkey")
        batch_op.drop_constraint(op.f("uq_woman_unique_key"), type_="unique")
        for column in ("unique_key", "alike", "alike_joined", "merged_into_id", "merged"):
            batch_op.drop_column(column)
