"""Attempts, scopes and ends of tokens, places of sessions; audit rows that never change, and their chain"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DAYS = 90
SCOPES = ["assess", "operate", "read", "review"]
PAGE = 1000


def _keep_what_was_counted() -> None:
    """How often and until when a folded row was repeated goes into its detail."""
    audit = sa.table("audit", sa.column("id"), sa.column("times"), sa.column("last_at"), sa.column("detail", sa.JSON()))
    connection = op.get_bind()
    changed = (
        sa.update(audit).where(audit.c.id == sa.bindparam("number")).values(detail=sa.bindparam("new", type_=sa.JSON()))
    )
    query = sa.select(audit).where(audit.c.times > 1).order_by(audit.c.id).limit(PAGE)
    last = 0
    while rows := list(connection.execute(query.where(audit.c.id > last))):
        connection.execute(
            changed,
            [
                {"number": row.id, "new": {**(row.detail or {}), "times": row.times, "until": str(row.last_at)}}
                for row in rows
            ],
        )
        last = rows[-1].id


def upgrade() -> None:
    _keep_what_was_counted()
    op.drop_index("ix_audit_action", "audit")
    with op.batch_alter_table("audit") as batch_op:
        batch_op.drop_column("times")
        batch_op.drop_column("last_at")
        batch_op.add_column(sa.Column("place", sa.String(length=60), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("session", sa.String(length=20), nullable=False, server_default=""))
    op.create_index("ix_audit_action", "audit", ["action", "at", "id"])
    with op.batch_alter_table("account") as batch_op:
        batch_op.drop_column("failed_attempts")
        batch_op.drop_column("locked_until")
        batch_op.add_column(sa.Column("must_change", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("signed_in", sa.Column("place", sa.String(length=60), nullable=False, server_default=""))
    op.add_column("signed_in", sa.Column("agent", sa.String(length=200), nullable=False, server_default=""))
    op.create_index("ix_signed_in_last_seen_at", "signed_in", ["last_seen_at"])
    ends = sa.text(f"'{datetime.now(UTC) + timedelta(days=DAYS):%Y-%m-%d 00:00:00}'")
    scopes = sa.text("'[" + ", ".join(f'"{scope}"' for scope in SCOPES) + "]'")
    op.add_column("api_token", sa.Column("scopes", sa.JSON(), nullable=False, server_default=scopes))
    op.add_column("api_token", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, server_default=ends))
    with op.batch_alter_table("api_token") as batch_op:
        batch_op.alter_column("scopes", server_default=None)
        batch_op.alter_column("expires_at", server_default=None)
    op.create_table(
        "sign_in_attempt",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name_key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_attempt")),
    )
    op.create_index("ix_sign_in_attempt_name_key", "sign_in_attempt", ["name_key"])
    op.create_index("ix_sign_in_attempt_last_at", "sign_in_attempt", ["last_at"])
    op.create_table(
        "audit_link",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_link")),
        sa.UniqueConstraint("row_id", name=op.f("uq_audit_link_row_id")),
    )


def downgrade() -> None:
    op.drop_table("audit_link")
    op.drop_table("sign_in_attempt")
    with op.batch_alter_table("api_token") as batch_op:
        batch_op.drop_column("expires_at")
        batch_op.drop_column("scopes")
    op.drop_index("ix_signed_in_last_seen_at", "signed_in")
    with op.batch_alter_table("signed_in") as batch_op:
        batch_op.drop_column("agent")
        batch_op.drop_column("place")
    with op.batch_alter_table("account") as batch_op:
        batch_op.drop_column("must_change")
        batch_op.add_column(sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("failed_attempts", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("ix_audit_action", "audit")
    with op.batch_alter_table("audit") as batch_op:
        batch_op.drop_column("session")
        batch_op.drop_column("place")
        batch_op.add_column(sa.Column("last_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("times", sa.Integer(), nullable=False, server_default="1"))
    op.execute("UPDATE audit SET last_at = at")
    with op.batch_alter_table("audit") as batch_op:
        batch_op.alter_column("last_at", nullable=False)
    op.create_index("ix_audit_action", "audit", ["action"])
