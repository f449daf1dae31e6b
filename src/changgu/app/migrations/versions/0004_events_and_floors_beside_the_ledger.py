"""The ledger keeps the event with its first fact, the floors it speaks of, and more marks of the present."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OUTLIVING = (
    "kind = 'CallbackAttempted' OR kind = 'CallbackBooked' OR kind = 'CallbackClosed' OR kind = 'DesktopStateChanged' "
    "OR kind = 'FloorTakenUp' OR kind = 'PhoneStateChanged'"
)


def upgrade() -> None:
    """Go to this shape."""
    op.create_table(
        "floors",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_floors")),
    )
    # Not by batch: a ledger of years is not copied for a new column that may be empty.
    op.add_column("ledger", sa.Column("because", sa.Text(), nullable=True))
    op.create_index("ix_ledger_outliving", "ledger", ["kind", "agent", "seq"], sqlite_where=sa.text(OUTLIVING))
    with op.batch_alter_table("agent_marks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("desktop_seq", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("left_seq", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("signed_out_seq", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Go back to the shape before."""
    with op.batch_alter_table("agent_marks", schema=None) as batch_op:
        batch_op.drop_column("signed_out_seq")
        batch_op.drop_column("left_seq")
        batch_op.drop_column("desktop_seq")
    op.drop_index("ix_ledger_outliving", table_name="ledger")
    op.drop_column("ledger", "because")
    op.drop_table("floors")
