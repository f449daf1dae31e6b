"""`./changgu bench`: measures, prints the tables, and with --keep writes them into bench/results and RESULTS.md."""

import argparse
import asyncio
import compileall
import contextlib
import io
import runpy
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import goals
from bench.figures import kept, machine, machine_line
from changgu.app import compiled
from changgu.app.compiled import SOURCE

HERE = Path(__file__).parent
RESULTS = HERE / "results"
WHAT = {
    "acd": "changgu beside app_queue on the same Asterisk, with the same SIPp callers and agents",
    "engine": "the engine alone: decisions a second, microseconds for one, memory for a waiting caller",
    "restart": "SIGKILL with 200 calls talking and 200 waiting: how soon it routes again, who noticed",
    "speech": "speech recognition: cost, memory, latency, and what is believed that was never said",
    "audio-paths": "the three ways for a caller's sound to leave Asterisk",
    "flows": "a menu tree of 1,000 nodes: read and checked, and one key answered in it",
    "menus": "callers in menus: from a key to the next prompt, and gaps in prompts with hundreds of callers",
    "estimate": "the estimated wait beside app_queue's formula, last-to-enter-service and head-of-line",
}
HEAD = HERE / "how_it_is_measured.md"
ORDER = (
    "acd-idle", "acd-full", "acd-requests", "acd-hour", "engine", "restart", "estimate", "speech", "audio-paths",
    "flows", "menus",
)  # fmt: skip
"""In which the results stand in RESULTS.md."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one measurement; the exit status."""
    words = list(sys.argv[1:] if words is None else words)
    about = {**machine(), "engine": "compiled" if compiled.use() else "read"}
    if words[:1] == ["estimate"]:
        return _estimate(words[1:], about)
    given = _read(words)
    compileall.compile_dir(SOURCE, quiet=2)  # as `./changgu` leaves it, also where Python is told not to keep it
    if (load := about["load_at_start"]) > 0.5:
        _say(f"load average {load}: another program is busy; the figures are not comparable")
    for name, found, text in _measured(given):
        heading = f"{machine_line(about)}{'; quick: a short run, to see that it works' if given.quick else ''}"
        whole = "\n".join((heading, "", text, goals.report(found)))
        print(whole)
        if given.keep:
            kept(RESULTS, name, {"machine": about, "quick": given.quick, **found}, whole)
            if name == "engine":
                from bench import engine

                (RESULTS / "engine.svg").write_text(engine.picture(found))
    if given.keep:
        write_results()
    return 0


def _measured(given: argparse.Namespace) -> list[tuple[str, dict[str, Any], str]]:
    """(name of the result, figures, tables) of each stage."""
    if given.what == "acd":
        from bench import acd

        plan = acd.Plan().quick() if given.quick else acd.Plan()
        if given.rounds is not None:
            plan = replace(plan, rounds=given.rounds, hour=replace(plan.hour, rounds=given.rounds))
        if given.rate:
            plan = replace(plan, rates=tuple(rate for rate in plan.rates if rate[0] in given.rate))
        found = asyncio.run(_stoppable(acd.measure_all(plan, given.only or acd.STAGES, _say)))
        return [(f"acd-{stage}", {stage: of}, acd.report({stage: of})) for stage, of in found.items()]
    rounds = given.rounds or (1 if given.quick else 5)
    if given.what == "engine":
        from bench import engine

        found = engine.measure_all(quick=given.quick, rounds=rounds, say=_say)
        return [("engine", found, engine.report(found))]
    if given.what == "speech":
        from bench import speech

        found = asyncio.run(_stoppable(speech.measure_all(quick=given.quick, rounds=given.rounds or 2, say=_say)))
        return [("speech", found, speech.report(found))]
    if given.what == "audio-paths":
        from bench import audio_paths

        callers = 5 if given.quick else 20
        found = asyncio.run(_stoppable(audio_paths.measure_all(callers=callers)))
        return [("audio-paths", found, audio_paths.report(found))]
    if given.what == "flows":
        from bench import flows

        found = flows.measure_all()
        return [("flows", found, flows.report(found))]
    if given.what == "menus":
        from bench import menus

        found = asyncio.run(_stoppable(menus.measure_all(quick=given.quick, say=_say)))
        return [("menus", found, menus.report(found))]
    from bench import restart

    found = asyncio.run(_stoppable(restart.measure_all(quick=given.quick, rounds=rounds, say=_say)))
    return [("restart", found, restart.report(found))]


async def _stoppable(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Told to stop (SIGTERM, as by Ctrl-C), the measurement ends what it started before it ends."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _estimate(words: list[str], about: dict[str, Any]) -> int:
    """`bench.estimate` reads its own words; with --keep what it prints is kept."""
    keep = "--keep" in words
    sys.argv = ["changgu bench estimate", *(word for word in words if word != "--keep")]
    said = io.StringIO()
    with contextlib.redirect_stdout(said) if keep else contextlib.nullcontext():
        runpy.run_module("bench.estimate", run_name="__main__")
    if keep:
        print(said.getvalue())
        text = f"### Estimated wait on simulated days\n\n{machine_line(about)}\n\n```\n{said.getvalue().strip()}\n```\n"
        kept(RESULTS, "estimate", {"machine": about}, text)
        write_results()
    return 0


def write_results() -> None:
    """RESULTS.md anew, from what is in results/."""
    parts = [(RESULTS / f"{name}.md").read_text() for name in ORDER if (RESULTS / f"{name}.md").is_file()]
    if (RESULTS / "engine.svg").is_file():
        parts.append("![One event of the engine, by callers waiting](results/engine.svg)\n")
    (HERE / "RESULTS.md").write_text("\n".join((HEAD.read_text(), *parts)))


def _read(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./changgu bench", description="측정 · measurements",
        epilog="\n".join(f"{name}: {what}" for name, what in WHAT.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("what", choices=list(WHAT), help="무엇을 잴지 · what to measure")
    parser.add_argument("--quick", action="store_true", help="짧게 한 번 · one short round")
    parser.add_argument("--rounds", type=int, help="몇 번 · how many rounds; figures are their medians")
    parser.add_argument(
        "--only", action="append", choices=["idle", "full", "requests", "hour"], help="acd의 일부만 · parts of acd"
    )
    parser.add_argument(
        "--rate", action="append", type=float, choices=[40.0, 100.0], help="초당 전화 수 · idle: calls a second"
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
