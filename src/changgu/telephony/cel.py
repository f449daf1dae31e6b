"""The PBX's own account of a call: its channel events (CEL), as AMI tells them.

It is kept beside the ledger, and independent of it, to audit it with. Order is the PBX's word per channel only.
`cel_manager` writes EventTime in whole seconds of the PBX's own zone, whatever cel.conf says about dates; the
microseconds come from AMI's `Timestamp`, which is when the event was sent, a moment after it happened.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

CHAN_START: Final = "CHAN_START"
ANSWER: Final = "ANSWER"
BRIDGE_ENTER: Final = "BRIDGE_ENTER"
BRIDGE_EXIT: Final = "BRIDGE_EXIT"
HANGUP: Final = "HANGUP"
CHAN_END: Final = "CHAN_END"
"""Told with every HANGUP, of the same channel and moment, and says less: not asked for, but heard of other PBXs."""
LINKEDID_END: Final = "LINKEDID_END"
"""The last channel of a call is gone: its account is closed."""

KINDS: Final = frozenset({
    CHAN_START, ANSWER, BRIDGE_ENTER, BRIDGE_EXIT, HANGUP, CHAN_END, LINKEDID_END,
    "APP_START", "APP_END", "BLINDTRANSFER", "ATTENDEDTRANSFER", "USER_DEFINED",
})  # fmt: skip
"""What the rendered cel.conf asks for, and CHAN_END. Another PBX may tell more; that is kept as it comes."""

_ZONE_STEP: Final = 15 * 60
"""Seconds: every zone of the world lies a multiple of this from UTC."""
_FARTHEST_ZONE: Final = 14 * 4
"""Steps."""
_LAST_OF_A_SECOND: Final = timedelta(microseconds=999_999)

_NOT_OURS: Final = frozenset({"privilege", "content", "actionid"})
"""Headers that depend on who listens, not on what happened."""


@dataclass(frozen=True, slots=True)
class CelEvent:
    """One thing that happened to one channel."""

    at: datetime
    kind: str
    """The PBX's word, such as `BRIDGE_ENTER`."""
    channel: str
    unique_id: str
    """The channel's own id. A caller's is the call's id."""
    linked_id: str
    """The id of the call: that of its oldest channel."""
    caller: str | None = None
    extension: str = ""
    context: str = ""
    application: str = ""
    application_data: str = ""
    peer: str = ""
    """The other channel in the bridge, as far as there is one."""
    bridge: str | None = None
    label: str = ""
    """The name that the dialplan gave an event of kind USER_DEFINED."""
    extra: str = ""
    """JSON, as the PBX wrote it."""
    digest: str = field(default="", compare=False)
    """The same for the same event heard twice, and only then."""

    @property
    def details(self) -> dict[str, object]:
        """What `extra` says; empty when it says nothing that can be read."""
        return _object(self.extra)


def parse_cel(headers: Mapping[str, str], heard_at: datetime) -> CelEvent | None:
    """The event that these headers tell; None when they do not say what happened, or to which channel.

    `heard_at` stands in for the moment of sending where the PBX does not stamp what it sends (`timestampevents`).
    """
    said = {name.lower(): fit_to_keep(value) for name, value in headers.items()}
    kind, unique_id = said.get("eventname", "").strip(), said.get("uniqueid", "").strip()
    if not kind or not unique_id:
        return None
    extra = said.get("extra", "")
    bridge = _object(extra).get("bridge_id") if "bridge_id" in extra else None
    return CelEvent(
        at=_moment(said.get("eventtime", ""), _stamp(said.get("timestamp", "")) or heard_at.astimezone(UTC)),
        kind=kind,
        channel=said.get("channel", ""),
        unique_id=unique_id,
        linked_id=said.get("linkedid", "").strip() or unique_id,
        caller=said.get("calleridnum") or None,
        extension=said.get("exten", ""),
        context=said.get("context", ""),
        application=said.get("application", ""),
        application_data=said.get("appdata", ""),
        peer=said.get("peer", ""),
        bridge=bridge if isinstance(bridge, str) and bridge else None,
        label=said.get("userdeftype", ""),
        extra=extra,
        digest=_digest(said),
    )


def _moment(event_time: str, sent: datetime) -> datetime:
    """When it happened: within the second that the PBX names, and not after it was sent.

    The zone of EventTime is not told. It is the multiple of a quarter of an hour that brings EventTime closest to
    the moment of sending; so neither the PBX's zone nor a change to or from summer time matters.
    """
    local = _second(event_time)
    if local is None:
        return sent
    quarters = round((local - sent).total_seconds() / _ZONE_STEP)
    if not quarters:
        second = local
    elif abs(quarters) <= _FARTHEST_ZONE:
        second = local - timedelta(seconds=quarters * _ZONE_STEP)
    else:
        return sent
    if sent < second:
        return second
    latest = second + _LAST_OF_A_SECOND
    return sent if sent < latest else latest


@lru_cache(64)
def _second(event_time: str) -> datetime | None:
    """Many events bear the same second."""
    try:
        return datetime.fromisoformat(event_time).replace(tzinfo=UTC)
    except ValueError:
        return None


def _stamp(text: str) -> datetime | None:
    """AMI's `Timestamp`, seconds since the epoch with microseconds."""
    seconds, _, fraction = text.partition(".")
    if not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 11):
        return None
    micros = int(fraction[:6].ljust(6, "0")) if fraction.isascii() and fraction.isdecimal() else 0
    return datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=micros)


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def fit_to_keep(value: str) -> str:
    """Fit for any database: no half characters, no NUL."""
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    return value.replace("\0", "") if "\0" in value else value


def _digest(said: Mapping[str, str]) -> str:
    words = [f"{name}\0{said[name]}" for name in sorted(said) if name not in _NOT_OURS]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()
