"""Messages to callers, kept until they are sent, and what became of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008i"
down_revision: str | Sequence[str] | None = "0007b2"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go to this shape. Wishes for a PIN of which nothing was heard before are not met any more."""
    op.create_table(
        "outgoing_messages",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("call", sa.String(length=150), nullable=False),
        sa.Column("person", sa.Integer(), nullable=True),
        sa.Column("errand", sa.Integer(), nullable=True),
        sa.Column("way", sa.String(length=8), nullable=False),
        sa.Column("to", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why_ko", sa.String(length=400), nullable=False),
        sa.Column("why_en", sa.String(length=400), nullable=False),
        sa.Column("receipt", sa.String(length=200), nullable=False),
        sa.Column("arrival", sa.String(length=16), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_messages")),
    )
    for column in ("at", "state", "next_at"):
        op.create_index(op.f(f"ix_outgoing_messages_{column}"), "outgoing_messages", [column])
    op.execute("UPDATE pin_resets SET outcome = 'not_sent' WHERE outcome = 'waiting'")


def downgrade() -> None:
    """Go back to the shape before."""
    for column in ("next_at", "state", "at"):
        op.drop_index(op.f(f"ix_outgoing_messages_{column}"), table_name="outgoing_messages")
    op.drop_table("outgoing_messages")
