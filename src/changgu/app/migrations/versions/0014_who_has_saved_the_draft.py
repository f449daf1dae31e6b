"""Everybody who has saved the draft of the menu, not the last one alone, is remembered."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | Sequence[str] | None = "0010m"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go to this shape."""
    op.add_column("flow_drafts", sa.Column("authors", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Go back to the shape before."""
    op.drop_column("flow_drafts", "authors")
