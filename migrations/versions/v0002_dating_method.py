"""Room for the longest dating method ("last menstrual period" has 21 letters)"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _resize(before: int, after: int) -> None:
    with op.batch_alter_table("pregnancy", schema=None) as batch_op:
        batch_op.alter_column(
            "dating_method",
            existing_type=sa.String(length=before),
            type_=sa.String(length=after),
            existing_nullable=True,
        )


def upgrade() -> None:
    _resize(20, 40)
    op.execute(
        "UPDATE pregnancy SET dating_method = 'last menstrual period' WHERE dating_method = 'last menstrual perio'"
    )


def downgrade() -> None:
    op.execute("UPDATE pregnancy SET dating_method = substr(dating_method, 1, 20) WHERE length(dating_method) > 20")
    _resize(40, 20)
