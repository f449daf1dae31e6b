"""Secrets that somebody was given by others: each in a file of the data folder that its owner alone can read."""

import os
from pathlib import Path

from changgu.ground.trouble import BadInput


def secret_text(file: Path) -> str:
    """What the file says; empty when there is none. Raises BadInput when others can read it."""
    if not file.exists():
        return ""
    if file.stat().st_mode & 0o077:
        raise BadInput(
            f"{file}을 다른 사용자가 읽을 수 있습니다. 다음을 실행하십시오: chmod 600 {file}",
            f"Other users can read {file}. Type: chmod 600 {file}",
        )
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as trouble:
        raise BadInput(f"{file}을 읽을 수 없습니다.", f"{file} cannot be read") from trouble


def secret(file: Path, variable: str) -> str:
    """The environment variable when it is set, else the file; empty when there is neither."""
    return os.environ.get(variable, "").strip() or secret_text(file)
