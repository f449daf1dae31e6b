"""The PBX's own account of each call, word for word.

What `cel_events` holds stays there and is read from there until it is too old to be kept: half a year's events are
millions, and callers wait while a desk starts.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008i"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go to this shape."""
    op.create_table(
        "cel_accounts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_id", sa.String(length=200), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cel_accounts")),
    )
    with op.batch_alter_table("cel_accounts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cel_accounts_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_cel_accounts_linked_id"), ["linked_id"], unique=False)


def downgrade() -> None:
    """Go back to the shape before."""
    with op.batch_alter_table("cel_accounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_cel_accounts_linked_id"))
        batch_op.drop_index(batch_op.f("ix_cel_accounts_at"))

    op.drop_table("cel_accounts")
