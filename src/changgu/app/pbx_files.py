"""The files of the PBX's configuration for a floor, and those of the last time, so that a start need not make them."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from changgu import asterisk_conf
from changgu.acd.identity import AgentId
from changgu.acd.queues import Floor
from changgu.app.pbx_settings import pbx_floor
from changgu.asterisk_conf.plan import PbxFloor, PbxPlan
from changgu.asterisk_conf.render import NumberError, render
from changgu.ground.trouble import BadInput
from changgu.ground.whole_file import write_whole

logger = logging.getLogger(__name__)

KEPT = "rendered.json"


class NumbersClash(BadInput):
    """A number leads to the desk and to a queue."""


class Rendered(msgspec.Struct, frozen=True):
    """What was made, and of what: a digest of plan, floor and templates."""

    of: str
    files: dict[str, str]


def configuration(
    plan: PbxPlan, floor: Floor, sip_passwords: Mapping[AgentId, str], keep_in: Path | None = None
) -> dict[str, str]:
    """Every file of the PBX for a floor; raises `NumbersClash`.

    `keep_in`: a folder that its owner alone can read. What was made last is there; made of the same it is not made
    again, for which callers of a desk that starts again would wait.
    """
    wanted = pbx_floor(floor, sip_passwords)
    if keep_in is None:
        return _rendered(plan, wanted)
    file, of = keep_in / KEPT, _digest(plan, wanted)
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=Rendered)
    except (OSError, msgspec.DecodeError):
        kept = None
    if kept is not None and kept.of == of:
        return kept.files
    files = _rendered(plan, wanted)
    _keep(file, Rendered(of, files))
    return files


def _rendered(plan: PbxPlan, floor: PbxFloor) -> dict[str, str]:
    try:
        return render(plan, floor)
    except NumberError as clash:
        raise NumbersClash(
            f"대표번호(desk.number)와 대기열 번호가 겹칩니다: {clash}",
            f"{clash}; change desk.number or the queue's number",
        ) from clash


def _digest(plan: PbxPlan, floor: PbxFloor) -> str:
    of_all = hashlib.sha256(msgspec.json.encode((plan, floor)))  # every field by its value, however it is shown
    for path in sorted(Path(asterisk_conf.__file__).parent.rglob("*")):
        if path.suffix in (".py", ".j2"):
            of_all.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return of_all.hexdigest()


def _keep(file: Path, rendered: Rendered) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file, msgspec.json.encode(rendered), fsync=False)
    except OSError as trouble:  # they are made at the next start, too
        logger.warning("the PBX's files were not kept: %s", trouble)
