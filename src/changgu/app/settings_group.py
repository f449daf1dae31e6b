"""What every table of the settings file is made of: a group of options, each with its sentence in both languages."""

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""We have none, and to look for them pydantic reads what every installed package says of itself: 30 ms of a start."""


def option(default: Any, ko: str, en: str, *, unit: str | None = None, example: JsonValue = None) -> Any:
    """A field with its sentence in both languages."""
    return Field(default, description=en, json_schema_extra={"ko": ko, "unit": unit, "example": example})


class Group(BaseModel):
    """A table of the file; a key it does not know is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
