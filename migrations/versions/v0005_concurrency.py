"""Changes by several hands: version of a record, one successor each, reserved keys, bundles on every server"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


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
    with op.batch_alter_table("woman", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("woman", schema=None) as batch_op:
        batch_op.alter_column("version", server_default=None)
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.create_unique_constraint(batch_op.f("uq_assessment_supersedes_id"), ["supersedes_id"])
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.add_column(sa.Column("worker", sa.String(length=120), nullable=False, server_default=""))
        batch_op.create_index(batch_op.f("ix_idempotency_key_at"), ["at"])
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.alter_column("worker", server_default=None)
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
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_key_at"))
        batch_op.drop_column("worker")
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_assessment_supersedes_id"), type_="unique")
    with op.batch_alter_table("woman", schema=None) as batch_op:
        batch_op.drop_column("version")
