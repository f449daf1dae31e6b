"""Moments that people and programs name: with their zone, and in years that every zone can show."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

YEARS = range(1900, 2200)
"""Other programs write 9999-12-31T23:59:59Z and mean none: there is no such moment in Seoul."""


def _in_these_years(when: datetime) -> datetime:
    if when.year not in YEARS:
        raise ValueError("not a year in which anything happens")
    return when


GivenMoment = Annotated[AwareDatetime, AfterValidator(_in_these_years)]
"""For what is asked over the API; anything else is malformed (422)."""
