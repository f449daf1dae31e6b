"""Versions and drafts of the menu carry their sub-flows, hours and sentences."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007a"
down_revision: str | Sequence[str] | None = "0006f"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go to this shape; what lies beside older versions and the draft is written down when the desk opens next."""
    op.add_column("flow_versions", sa.Column("beside", sa.JSON(), nullable=True))
    op.add_column("flow_versions", sa.Column("own_files", sa.JSON(), nullable=True))
    op.add_column("flow_drafts", sa.Column("beside", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Go back to the shape before."""
    op.drop_column("flow_drafts", "beside")
    op.drop_column("flow_versions", "own_files")
    op.drop_column("flow_versions", "beside")
