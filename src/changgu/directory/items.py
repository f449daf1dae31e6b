"""Equipment that people use: what it is, and by which tag it is known."""

from dataclasses import dataclass
from datetime import date
from typing import NewType

AssetTag = NewType("AssetTag", str)
"""The number on the sticker; one per thing."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One piece of equipment (정보시스템 자원, USR-01)."""

    tag: AssetTag
    kind: str = ""
    """Such as 노트북, 모니터, 프린터."""
    model: str = ""
    serial: str = ""
    purchased_on: date | None = None
    location: str = ""
