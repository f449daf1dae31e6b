"""Trouble of a person's making, said so that the person can mend it.

Trouble                     a request that we understood and refuse
├── NotFound          404
├── Forbidden         403
├── Conflict          409   the thing is not in a state that allows this
└── BadInput          422   a value is wrong; names the field
"""


class Trouble(Exception):
    """A refusal with its own HTTP status, in Korean and in English."""

    status = 400

    def __init__(self, ko: str, en: str, *, field: str | None = None) -> None:
        super().__init__(en)
        self.ko = ko
        self.en = en
        self.field = field


class NotFound(Trouble):
    """There is no such thing, or the asker may not know of it."""

    status = 404


class Forbidden(Trouble):
    """The asker may not do this."""

    status = 403


class Conflict(Trouble):
    """The thing is not in a state that allows this."""

    status = 409


class BadInput(Trouble):
    """A value is malformed or missing."""

    status = 422
