"""The passwords nobody has to choose: made once, kept in the data folder, readable by its owner alone."""

import re
import secrets
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from changgu.ground.trouble import Trouble
from changgu.ground.whole_file import write_whole

FILE = "secrets.toml"


class SecretsUnusable(Trouble):
    """The secrets file is damaged or open to others."""


def _fresh() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class GeneratedSecrets:
    """Never printed: the values do not appear in `repr`."""

    ari_password: str = field(default_factory=_fresh, repr=False)
    ami_password: str = field(default_factory=_fresh, repr=False)
    session_key: str = field(default_factory=_fresh, repr=False)
    """Signs what browsers keep for us."""
    visitor_sip_secret: str = field(default_factory=_fresh, repr=False)
    """The SIP password of the visitors' browser phone."""
    pin_key: str = field(default_factory=_fresh, repr=False)
    """Callers' PINs are keyed with it before they are hashed, so that a copy of the database gives none away."""
    pbx_id: str = field(default_factory=lambda: secrets.token_hex(6), repr=False)
    """Not secret, but made in the same way: begins every call's Uniqueid, so that two desks never give two the same."""


def secrets_of(data: Path) -> GeneratedSecrets:
    """The secrets of this data folder; those that are missing are made and written, mode 0600."""
    file = data / FILE
    known: dict[str, str] = {}
    if file.exists():
        if file.stat().st_mode & 0o077:
            raise SecretsUnusable(
                f"{file}을 다른 사용자가 읽을 수 있습니다. 다음을 실행하십시오: chmod 600 {file}",
                f"Other users can read {file}. Type: chmod 600 {file}",
            )
        try:
            read = tomllib.loads(file.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as trouble:
            raise SecretsUnusable(f"{file}이 손상되었습니다: {trouble}", f"{file} is damaged: {trouble}") from trouble
        names = {one.name for one in fields(GeneratedSecrets)}
        known = {name: str(value) for name, value in read.items() if name in names}
        for name, value in known.items():
            if re.fullmatch(r"[A-Za-z0-9_-]{12,128}", value) is None:
                raise SecretsUnusable(
                    f"{file}: {name}은 영문자, 숫자, -, _ 12자 이상이어야 합니다",
                    f"{file}: {name} must be at least 12 letters, digits, - or _",
                )
    made = GeneratedSecrets(**known)
    if len(known) < len(fields(GeneratedSecrets)):
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(file, made)
    return made


def _write(file: Path, made: GeneratedSecrets) -> None:
    lines = ["# Made by changgu; whoever reads this file can drive the PBX.\n"]
    lines += [f'{one.name} = "{getattr(made, one.name)}"\n' for one in fields(made)]
    write_whole(file, "".join(lines))
