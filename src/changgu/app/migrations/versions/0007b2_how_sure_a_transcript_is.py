"""How sure the machine is of a voice mail's words."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007b2"
down_revision: str | Sequence[str] | None = "0007b"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go to this shape."""
    op.add_column("ticket_messages", sa.Column("transcript_confidence", sa.Float(), nullable=True))


def downgrade() -> None:
    """Go back to the shape before."""
    op.drop_column("ticket_messages", "transcript_confidence")
