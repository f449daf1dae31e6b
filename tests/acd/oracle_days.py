"""Days made of dice, lived through by several processes at once and within a time budget."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from random import Random
from time import monotonic

from changgu.acd.simulate import PROFILES, DayResult, replay_command, simulate_day

PROCESSES = 2


def a_day(name: str, seed: int, *, refold: bool = False, brisk: bool = True) -> DayResult:
    """A day that says how it is lived through again when it fails."""
    try:
        return simulate_day(Random(seed), PROFILES[name], refold=refold, brisk=brisk)
    except Exception as trouble:
        raise AssertionError(f"{trouble}\nreplay: {replay_command(seed, name)}") from trouble


def many_days(names: list[str], *, at_least: int, at_most: int, seconds: float) -> dict[str, list[DayResult]]:
    """Days of these profiles in turn, seeds from 0: at least so many, and more while there is time.

    The days that are lived through are the same on every machine; only how many there are depends on its speed.
    """
    until = monotonic() + seconds
    results: dict[str, list[DayResult]] = {name: [] for name in names}

    def days() -> Iterator[tuple[str, int]]:
        for number in range(at_most):
            if number >= at_least and monotonic() > until:
                return
            yield names[number % len(names)], number // len(names)

    coming = days()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        running: dict[Future[DayResult], str] = {}
        while True:
            while len(running) < 4 * PROCESSES and (day := next(coming, None)) is not None:
                running[pool.submit(a_day, *day)] = day[0]
            if not running:
                return results
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                results[running.pop(future)].append(future.result())
