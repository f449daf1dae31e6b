"""The options that every command shares: which data folder, which settings file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from changgu.app.settings import Settings, load

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="데이터 폴더(기본 ./data) · the data folder")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="설정 파일(TOML, 기본 DIR/changgu.toml) · the settings file"),
]


def settings_from(
    data: Path | None, config: Path | None = None, overrides: Mapping[str, object | None] | None = None
) -> Settings:
    """The settings a command works with; options that were not given (None) do not count."""
    given = {key: value for key, value in {"data": data, **(overrides or {})}.items() if value is not None}
    return load(config, given)
