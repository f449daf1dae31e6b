"""What was asked for beside what was seen: one row for each goal that the measured stages say something about."""

from collections.abc import Mapping
from typing import Any

from bench.figures import shown, table

CHANGGU, TUNED, BARE = "changgu", "app_queue retry=1", "bare ARI"
AT_ONCE = "at once, 1 s"

Row = tuple[str, str, str, bool]
"""The goal, what is asked, what was seen, whether that is enough."""


def rows(result: Mapping[str, Any]) -> list[Row]:
    """Every goal of the stages in `result` (the medians over rounds are compared)."""
    found: list[Row] = []
    for rate, acds in result.get("idle", {}).items():
        found += _idle(float(rate), *_medians(acds))
    for case, acds in result.get("full", {}).items():
        found += _full(case, *_medians(acds))
    if "requests" in result:
        found.append(_at_most("requests for an answered call", result["requests"]["requests a call"], 6))
    if "hour" in result:
        ours, theirs = (result["hour"][acd]["medians"]["ratio"] for acd in (CHANGGU, TUNED))
        found.append(_at_most(f"an hour at 95 %: mean wait ÷ ideal (app_queue: {shown(theirs)})", ours, 1.02))
    if "speed" in result:
        found += _engine(result)
    if "restart" in result:
        seen = result["restart"]["medians"]
        found += [
            _at_most("killed with 400 calls: routing again, s after the start", seen["routing again s"], 2),
            _at_most("killed: calls dropped or forgotten", seen["dropped"] + seen["forgotten"], 0),
        ]
    if "menus" in result:
        found += _menus(result["menus"])
    return found


Medians = Mapping[str, float]


def _medians(acds: Mapping[str, Mapping[str, Medians]]) -> tuple[Medians, Medians, Medians | None]:
    """Ours, those of app_queue, and those of the bare distributor where it was measured."""
    return acds[CHANGGU]["medians"], acds[TUNED]["medians"], acds[BARE]["medians"] if BARE in acds else None


def _idle(rate: float, ours: Medians, theirs: Medians, bare: Medians | None) -> list[Row]:
    what = f"idle agents, {rate:g}/s"

    def ratio(name: str, of: str, limit: float) -> Row:
        least = f" (bare ARI: {shown(bare[of] / theirs[of])})" if bare else ""
        return _times(f"{what}: {name} ÷ app_queue's{least}", ours[of], theirs[of], limit)

    if rate == 40:
        least = f" (bare ARI: {shown(bare['bare ms'])})" if bare else ""
        return [
            ratio("p50", "p50", 1.2),
            ratio("p99", "p99", 1.0),
            _at_most(f"{what}: changgu's processor time for a call, ms{least}", ours["changgu ms"], 2.5),
            ratio("Asterisk and changgu", "both ms", 0.9),
        ]
    return [ratio(name, name, 1.0) for name in ("p50", "p95", "p99")]


def _full(case: str, ours: Medians, theirs: Medians, bare: Medians | None) -> list[Row]:
    what = f"full queue ({case})"

    def others(name: str) -> str:
        return f"app_queue: {shown(theirs[name])}" + (f", bare ARI: {shown(bare[name])}" if bare else "")

    found = [
        _at_most(f"{what}: p50 ms ({others('p50')})", ours["p50"], 10),
        _at_most(f"{what}: p99 ms ({others('p99')})", ours["p99"], 40),
        _at_most(f"{what}: offered out of order, in the ledger", ours["out of order in the ledger"], 0),
        _at_most(f"{what}: agent's answer to caller and agent joined, p99 ms", ours["joined p99"], 100),
    ]
    if case == AT_ONCE:
        name = "served a minute"
        least = f" (bare ARI: {shown(bare[name] / theirs[name])})" if bare else ""
        served = ours[name] / theirs[name]
        found.append((f"{what}: {name} ÷ app_queue{least}", "≥ 1.9", shown(served), served >= 1.9))
    return found


def _menus(found: Mapping[str, Mapping[str, float]]) -> list[Row]:
    quiet, at_work, many = found["quiet"], found["recognition at work"], found["many"]
    few, crowd = f"{quiet['callers']:.0f} callers in menus", f"{many['callers']:.0f} callers in menus"
    gaps = many["gaps over 60 ms, %"]
    return [
        _at_most(f"{few}: key let go → next prompt audible, p95 ms", quiet["let go to sound p95, ms"], 150),
        _at_most(f"{few}: from the key's first packet, p95 ms", quiet["pressed to sound p95, ms"], 150),
        _at_most(f"{few}, recognisers at work: key let go → audible, p95 ms", at_work["let go to sound p95, ms"], 150),
        (f"{crowd}: gaps over 60 ms within prompts, %", "< 0.1", shown(gaps), gaps < 0.1),
        _at_most(
            "callers in menus: calls lost, keys unheard",
            sum(of["calls that ended"] + of["keys without a prompt"] for of in (quiet, at_work, many)), 0,
        ),
    ]  # fmt: skip


def _engine(result: Mapping[str, Any]) -> list[Row]:
    speeds, besides = result["speed"]["medians"], result["besides"]
    rate = speeds["decisions a second"]
    curve = result["curve"]
    found: list[Row] = [
        ("engine: decisions a second", "≥ 100,000", shown(rate), rate >= 100_000),
        _at_most("engine: p99 µs", speeds["p99"], 50),
    ]
    for waiting, figures in curve.items():
        more = str(int(waiting) * 10)
        if more in curve and int(waiting) >= 1000:
            what = f"engine: p99 from {int(waiting):,} to {int(more):,} waiting, ×"
            found.append(_times(what, curve[more]["p99"], figures["p99"], 1.5))
    return [
        *found,
        _at_most("engine: wakings in a quiet hour", besides["wakings in a quiet hour"], 0),
        _at_most("engine: bytes for a waiting caller", besides["bytes for a waiting caller"], 4096),
    ]


def _at_most(what: str, seen: float, limit: float) -> Row:
    return what, f"≤ {limit:g}", shown(seen), seen <= limit


def _times(what: str, ours: float, theirs: float, limit: float) -> Row:
    return _at_most(what, ours / theirs, limit)


def report(result: Mapping[str, Any]) -> str:
    """The goals as a Markdown table; empty when no stage of `result` has any."""
    found = rows(result)
    if not found:
        return ""
    lines = [[what, asked, seen, "met" if enough else "**missed**"] for what, asked, seen, enough in found]
    return table(["goal", "asked", "seen", ""], lines)
