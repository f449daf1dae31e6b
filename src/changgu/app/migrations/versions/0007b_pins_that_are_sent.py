"""PINs that are sent to their owners and are good for one call, and who asked for one."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007b"
down_revision: str | Sequence[str] | None = "0007a"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go to this shape."""
    op.add_column("caller_pins", sa.Column("good_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("caller_pins", sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "pin_resets",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("way", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pin_resets")),
    )
    for column in ("at", "person", "source"):
        op.create_index(op.f(f"ix_pin_resets_{column}"), "pin_resets", [column])


def downgrade() -> None:
    """Go back to the shape before."""
    for column in ("source", "person", "at"):
        op.drop_index(op.f(f"ix_pin_resets_{column}"), table_name="pin_resets")
    op.drop_table("pin_resets")
    op.drop_column("caller_pins", "used_at")
    op.drop_column("caller_pins", "good_until")
