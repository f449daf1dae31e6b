"""How Alembic reaches the database: with the connection and the tables that `app.schema` gives it."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from changgu.app.schema import METADATA
from changgu.ground.database import UtcDateTime


def _render_item(kind: str, thing: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Migrations stand on SQLAlchemy alone: our own column type is written as the plain one it is stored as."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def _compare_type(_context: Any, _inspected: Any, _column: Any, _found: Any, wanted: Any) -> bool | None:
    """A moment is stored as a plain date and time; that is no difference."""
    return False if isinstance(wanted, UtcDateTime) else None


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_as_batch=True,
    render_item=_render_item,
    compare_type=_compare_type,
)
with context.begin_transaction():
    context.run_migrations()
