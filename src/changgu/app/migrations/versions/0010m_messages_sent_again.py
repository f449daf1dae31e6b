"""Which message was sent in place of one that failed, and who wanted it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010m"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go to this shape."""
    op.add_column("outgoing_messages", sa.Column("again", sa.Integer(), nullable=True))
    op.add_column("outgoing_messages", sa.Column("again_by", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Go back to the shape before."""
    op.drop_column("outgoing_messages", "again_by")
    op.drop_column("outgoing_messages", "again")
