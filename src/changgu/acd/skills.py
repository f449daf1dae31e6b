"""What an agent can do and how well, and what a caller needs of them.

Both are written the same way: `vpn`, or with a level from 1 (knows it) to 10 (nobody better), `vpn:7`. Without a level
an agent has 1 and a caller needs 1.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from changgu.acd.queues import Relaxation

BEST = 10

EVERY = "*"
"""In a relaxation: every skill."""

SKILL = re.compile(r"(?P<name>[\w.+#-]{1,64})(?::(?P<level>[1-9]|10))?")


class NoSuchLevel(ValueError):
    """A skill that cannot be read: a name of other characters, or a level outside 1 to 10."""


def levels(skills: Iterable[str]) -> dict[str, int]:
    """Name → level; of a skill that is named twice the higher level counts. Raises `NoSuchLevel`."""
    found: dict[str, int] = {}
    for skill in skills:
        name, level = _read(skill)
        found[name] = max(found.get(name, 0), level)
    return found


@lru_cache(4096)
def _read(skill: str) -> tuple[str, int]:
    match = SKILL.fullmatch(skill)
    if match is None:
        raise NoSuchLevel(f"a skill is a name or name:level with a level from 1 to {BEST}: {skill[:80]}")
    return match["name"], int(match["level"] or 1)


def written(needs: Mapping[str, int]) -> frozenset[str]:
    """The way back; a level of 1 is not written."""
    return frozenset(name if level == 1 else f"{name}:{level}" for name, level in needs.items())


def suffices(has: Mapping[str, int], needs: Mapping[str, int]) -> bool:
    """Whether somebody with these skills can serve a caller with these needs."""
    return all(has.get(name, 0) >= level for name, level in needs.items())


def mastery(has: Mapping[str, int], needs: Mapping[str, int]) -> int:
    """How skilled an agent is for a caller: the sum of their levels in what is needed; without needs, in everything."""
    return sum(has.get(name, 0) for name in needs) if needs else sum(has.values())


def relaxed(needs: frozenset[str], steps: Iterable[Relaxation]) -> frozenset[str]:
    """What is still needed after these steps."""
    if not needs:
        return needs
    left = levels(needs)
    for step in steps:
        left = {
            name: max(1, level - step.lower)
            for name, level in left.items()
            if name not in step.drop and EVERY not in step.drop
        }
    return written(left)


def no_more_than(needs: frozenset[str], granted: frozenset[str]) -> frozenset[str]:
    """The needs, without what has been granted already: of each skill that both name, the lower level."""
    if needs == granted:
        return needs
    once = levels(granted)
    return written({name: min(level, once[name]) for name, level in levels(needs).items() if name in once})
