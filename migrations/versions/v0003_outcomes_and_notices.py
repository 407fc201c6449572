"""Outcomes of births, notices to operators, and the site of an assessment"""

import sqlalchemy as sa
from alembic import op

from app.orm import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outcome",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fetus_id", sa.Integer(), nullable=False),
        sa.Column("ph", sa.Float(), nullable=False),
        sa.Column("born_at", UtcDateTime(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["fetus_id"], ["fetus.id"], name=op.f("fk_outcome_fetus_id_fetus")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome")),
    )
    op.create_index(op.f("ix_outcome_fetus_id"), "outcome", ["fetus_id"])
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=80), nullable=False),
        sa.Column("bundle", sa.String(length=12), nullable=False),
        sa.Column("what", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.String(length=400), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("site", sa.String(length=80), nullable=False, server_default="this-unit"))
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.alter_column("site", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.drop_column("site")
    op.drop_table("notice")
    op.drop_index(op.f("ix_outcome_fetus_id"), table_name="outcome")
    op.drop_table("outcome")
