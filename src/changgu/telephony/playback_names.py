"""Names of what plays to one caller: few, and taken in turn, so that who is found again can be rid of all of them.

A desk that was killed leaves its playbacks running, and Asterisk does not list them: only who knows a name ends one.
"""


class PlaybackNames:
    """`prefix-1` to `prefix-most`; more only while all of these may still be heard."""

    def __init__(self, prefix: str, most: int, *, found_again: bool = False) -> None:
        """`found_again`: the caller was on the line before the desk was started, and may hear what was begun then."""
        self._prefix = prefix
        self._most = most
        self._last = 0
        """Number of the newest."""
        self._from_before = {self._name(number) for number in range(1, most + 1)} if found_again else set[str]()
        self._sounding = set(self._from_before)
        """Begun, and their end is not known."""

    def next(self) -> str:
        """The name for a new playback: the next in turn, but of none that may still be heard."""
        in_turn = [*range(self._last + 1, self._most + 1), *range(1, min(self._last, self._most) + 1)]
        beyond = max(self._last, self._most) + 1
        self._last = next((one for one in in_turn if self._name(one) not in self._sounding), beyond)
        name = self._name(self._last)
        self._sounding.add(name)
        return name

    def ended(self, name: str) -> None:
        """It plays no more, or never did: the name is free again."""
        self._sounding.discard(name)
        self._from_before.discard(name)

    def from_before(self) -> list[str]:
        """Those that may have been begun before the desk was started, and of whose end nothing is known yet."""
        return sorted(self._from_before)

    def _name(self, number: int) -> str:
        return f"{self._prefix}-{number}"
