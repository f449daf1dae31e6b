"""What every table of the settings file is made of: a group of options, each with its sentence in both languages."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


def option(default: Any, ko: str, en: str, *, unit: str | None = None, example: JsonValue = None) -> Any:
    """A field with its sentence in both languages."""
    return Field(default, description=en, json_schema_extra={"ko": ko, "unit": unit, "example": example})


class Group(BaseModel):
    """A table of the file; a key it does not know is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
