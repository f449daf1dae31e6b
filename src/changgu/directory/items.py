"""Equipment that people use: what it is, and by which tag it is known."""

from dataclasses import dataclass
from datetime import date
from typing import NewType

from changgu.ground.text import clean_line, within
from changgu.ground.trouble import BadInput

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


def clean_asset(asset: Asset) -> Asset:
    """The asset as it is kept.

    Raises:
        BadInput: it has no tag, or a value is longer than 200 characters.
    """
    tag, kind, model, serial, location = (
        within(clean_line(text), 200, "assets")
        for text in (asset.tag, asset.kind, asset.model, asset.serial, asset.location)
    )
    if not tag:
        raise BadInput("자산번호가 비어 있습니다.", "an asset without its tag", field="assets")
    return Asset(AssetTag(tag), kind, model, serial, asset.purchased_on, location)
