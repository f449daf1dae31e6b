"""How Python looks for garbage while calls are served: a look takes time in which nothing else is done."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

LOOKED_FOR = (20_000, 20, 50)
"""New objects after which Python looks for those that hold each other, and how many times until it looks through the
older ones too: thirty times its usual 700. What a call leaves behind mostly goes by itself."""


def look_seldom() -> None:
    """From now on; what is there already is never looked through again."""
    gc.freeze()
    gc.set_threshold(*LOOKED_FOR)
    gc.enable()


@contextmanager
def looking_seldom() -> Iterator[None]:
    """The same for a while."""
    usual, on = gc.get_threshold(), gc.isenabled()
    gc.collect()
    look_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
        if not on:
            gc.disable()
