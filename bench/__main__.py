"""`./changgu bench`: measures, prints the tables, and with --keep writes them into bench/results."""

import argparse
import asyncio
import runpy
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.figures import kept, machine, machine_line

RESULTS = Path(__file__).parent / "results"
WHAT = {
    "acd": "changgu beside app_queue on the same Asterisk, with the same SIPp callers and agents",
    "engine": "the engine alone: decisions a second, microseconds for one, memory for a waiting caller",
    "restart": "SIGKILL with 200 calls talking and 200 waiting: how soon it routes again, who noticed",
    "estimate": "the estimated wait beside app_queue's formula, last-to-enter-service and head-of-line",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one measurement; the exit status."""
    words = list(sys.argv[1:] if words is None else words)
    if words[:1] == ["estimate"]:
        sys.argv = ["changgu bench estimate", *words[1:]]
        runpy.run_module("bench.estimate", run_name="__main__")
        return 0
    given = _read(words)
    about = machine()
    if (load := about["load_at_start"]) > 0.5:
        _say(f"load average {load}: another program is busy; the figures are not comparable")
    if given.what == "acd":
        from bench import acd

        plan = acd.Plan()
        plan = plan.quick() if given.quick else plan
        if given.rounds is not None:
            plan = replace(plan, rounds=given.rounds, hour=replace(plan.hour, rounds=given.rounds))
        only = given.only or acd.STAGES
        found = asyncio.run(acd.measure_all(plan, only, _say))
        text = acd.report(found)
    elif given.what == "engine":
        from bench import engine

        found = engine.measure_all(quick=given.quick, rounds=given.rounds or (1 if given.quick else 5), say=_say)
        text = engine.report(found)
        if given.keep:
            (RESULTS / "engine.svg").write_text(engine.picture(found))
    else:
        from bench import restart

        rounds = given.rounds or (1 if given.quick else 5)
        found = asyncio.run(restart.measure_all(quick=given.quick, rounds=rounds, say=_say))
        text = restart.report(found)
    text = f"{machine_line(about)}{'; quick: one short round, to see that it works' if given.quick else ''}\n\n{text}"
    print(text)
    if given.keep:
        file = kept(RESULTS, given.what, {"machine": about, "quick": given.quick, **found}, text)
        _say(f"written: {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}")
    return 0


def _read(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="changgu bench", description="측정 · measurements",
        epilog="\n".join(f"{name}: {what}" for name, what in WHAT.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("what", choices=list(WHAT), help="무엇을 잴지 · what to measure")
    parser.add_argument("--quick", action="store_true", help="짧게 한 번 · one short round")
    parser.add_argument("--rounds", type=int, help="몇 번 · how many rounds; figures are their medians")
    parser.add_argument(
        "--only", action="append", choices=["idle", "full", "requests", "hour"], help="acd의 일부만 · parts of acd"
    )
    parser.add_argument("--keep", action="store_true", help="bench/results에 기록 · write into bench/results")
    given = parser.parse_args(words)
    if given.rounds is not None and given.rounds < 1:
        parser.error("--rounds: at least 1")
    return given


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
