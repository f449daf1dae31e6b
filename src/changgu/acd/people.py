"""Who is on the line, who was just spoken to and who is to be called back: by number, and by person where one is known.

A directory learns: somebody may have been promised a call before it was known whose number that is. So everything is
found by the number in any case, and by the person besides.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from changgu.acd.callbacks import AFTER_TALK
from changgu.acd.identity import CallbackId, CallId, Instant
from changgu.acd.records import CallbackRecord, CallRecord

SPOKEN_TO_REMEMBERED: Final = 32_768
"""How many numbers and people are known who were just spoken to: all, while no more than 136 are let go in a second."""


class People:
    """What is true of the people whom calls and promises concern. Changed by `FloorState.apply` alone."""

    def __init__(self) -> None:
        self._promised: dict[str, CallbackRecord] = {}
        """Open promises: one for each person."""
        self._promised_in: dict[CallId, dict[CallbackId, CallbackRecord]] = {}
        """Open promises by the call in which they were made, the first made first."""
        self._on_the_line: dict[str, int] = {}
        """How many live calls there are of each, those in which we dial them included."""
        self.spoken_to: OrderedDict[str, Instant] = OrderedDict()
        """When the last conversations with people ended, oldest first; no longer than AFTER_TALK matters."""

    def promises_to(self, known_by: tuple[str, ...]) -> list[CallbackRecord]:
        """Open promises to somebody; several only if it was learnt since they were made whose numbers those are."""
        found: list[CallbackRecord] = []
        if self._promised:
            for key in known_by:
                record = self._promised.get(key)
                if record is not None and record not in found:
                    found.append(record)
        return found

    def are_on_the_line(self, known_by: tuple[str, ...]) -> bool:
        """Whether there is a live call of theirs."""
        return any(key in self._on_the_line for key in known_by)

    def let_be_until(self, known_by: tuple[str, ...]) -> Instant:
        """When somebody who has just been spoken to may be dialled again; 0 for anybody else."""
        until = 0.0
        for key in known_by:
            at = self.spoken_to.get(key)
            if at is not None:
                until = max(until, at + AFTER_TALK.total_seconds())
        return until

    def came(self, call: CallRecord) -> None:
        """A call of theirs has begun."""
        for key in call.known_by:
            self._on_the_line[key] = self._on_the_line.get(key, 0) + 1

    def left(self, call: CallRecord, at: Instant, *, spoken: bool) -> list[CallbackRecord]:
        """A call of theirs has ended, in a conversation or not; the promises that it may have held up."""
        promised = self._promised_in.get(call.call)
        concerned = [] if promised is None else list(promised.values())
        concerned += [theirs for theirs in self.promises_to(call.known_by) if theirs.asked_from != call.call]
        for key in call.known_by:
            others = self._on_the_line.pop(key) - 1
            if others:
                self._on_the_line[key] = others
            if spoken:
                self.spoken_to[key] = at
                self.spoken_to.move_to_end(key)
                if len(self.spoken_to) > SPOKEN_TO_REMEMBERED:
                    self.spoken_to.popitem(last=False)
        return concerned

    def promise(self, record: CallbackRecord) -> None:
        """They are to be called back."""
        for key in record.known_by:
            self._promised[key] = record
        if record.asked_from is not None:
            self._promised_in.setdefault(record.asked_from, {})[record.callback] = record

    def settle(self, record: CallbackRecord) -> None:
        """They are to be called back no more."""
        for key in record.known_by:
            self._promised.pop(key, None)
        if record.asked_from is not None:
            promised = self._promised_in[record.asked_from]
            promised.pop(record.callback, None)
            if not promised:
                del self._promised_in[record.asked_from]
