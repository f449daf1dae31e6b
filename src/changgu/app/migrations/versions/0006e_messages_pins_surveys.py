"""Voice mail and fax as tickets, callers' PINs, calls back about tickets, and the survey of FORM-3."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006e"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go to this shape."""
    op.create_table(
        "caller_pins",
        sa.Column("person", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hashed", sa.String(length=200), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("guesses_from", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_caller_pins")),
    )
    op.create_table(
        "pin_guesses",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person", sa.Integer(), nullable=True),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("right", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pin_guesses")),
    )
    op.create_index(op.f("ix_pin_guesses_at"), "pin_guesses", ["at"])
    op.create_index(op.f("ix_pin_guesses_number"), "pin_guesses", ["number"])
    op.create_index(op.f("ix_pin_guesses_person"), "pin_guesses", ["person"])
    op.create_table(
        "survey_invitations",
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.running"], name=op.f("fk_survey_invitations_ticket_tickets")),
        sa.PrimaryKeyConstraint("ticket", name=op.f("pk_survey_invitations")),
    )
    op.create_index(op.f("ix_survey_invitations_due_at"), "survey_invitations", ["due_at"])
    op.create_table(
        "survey_responses",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.String(length=150), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=True),
        sa.Column("call", sa.String(length=150), nullable=True),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.running"], name=op.f("fk_survey_responses_ticket_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_responses")),
        sa.UniqueConstraint("case_id", name=op.f("uq_survey_responses_case_id")),
    )
    op.create_index(op.f("ix_survey_responses_begun_at"), "survey_responses", ["begun_at"])
    op.create_index(op.f("ix_survey_responses_ticket"), "survey_responses", ["ticket"])
    op.create_table(
        "ticket_callback_wishes",
        sa.Column("callback", sa.String(length=64), nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("call", sa.String(length=150), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.running"], name=op.f("fk_ticket_callback_wishes_ticket_tickets")),
        sa.PrimaryKeyConstraint("callback", name=op.f("pk_ticket_callback_wishes")),
    )
    op.create_index(op.f("ix_ticket_callback_wishes_ticket"), "ticket_callback_wishes", ["ticket"])
    op.create_table(
        "ticket_messages",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("call", sa.String(length=150), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=True),
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("recording", sa.Integer(), nullable=True),
        sa.Column("file", sa.String(length=200), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("transcript", sa.Text(), nullable=False),
        sa.Column("alerted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_by", sa.String(length=64), nullable=True),
        sa.Column("handled_why", sa.String(length=400), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.running"], name=op.f("fk_ticket_messages_ticket_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_messages")),
        sa.UniqueConstraint("kind", "call", name=op.f("uq_ticket_messages_kind")),
    )
    op.create_index(op.f("ix_ticket_messages_at"), "ticket_messages", ["at"])
    op.create_index(op.f("ix_ticket_messages_ticket"), "ticket_messages", ["ticket"])
    op.create_table(
        "survey_answers",
        sa.Column("response", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["response"], ["survey_responses.id"], name=op.f("fk_survey_answers_response_survey_responses")
        ),
        sa.PrimaryKeyConstraint("response", "question", name=op.f("pk_survey_answers")),
    )


def downgrade() -> None:
    """Go back to the shape before."""
    op.drop_table("survey_answers")
    op.drop_table("ticket_messages")
    op.drop_table("ticket_callback_wishes")
    op.drop_table("survey_responses")
    op.drop_table("survey_invitations")
    op.drop_table("pin_guesses")
    op.drop_table("caller_pins")
