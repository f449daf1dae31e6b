"""Callers in menus: how soon the next prompt is heard after a key, and whether anybody's prompt stutters.

Fifty callers press keys at moments of their own, first on a quiet desk and then while every recogniser listens to
somebody else who talks without an end; then five hundred callers are in menus at once, and at last as many in the same
menus written as a dialplan, which Asterisk serves alone. The prompts are the shipped ones. Each frame of a prompt is
known by what is in it, so that the first audible packet of the next prompt is not mistaken for the last of the one
before; the kernel's clock tells when it came.
"""

import asyncio
import os
import random
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.figures import Figures, percentile, spread, table
from bench.floor import BenchFloor, floor_of, many_files, processor_seconds
from bench.rtp_lines import SAMPLES, CallerLine, Press, RtpLines, digests
from bench.sip_phones import Leg, SipPhones
from bench.speech import OUTSIDE, children
from changgu.app.settings import load
from changgu.app.voices import desk_voice, prompt_store
from changgu.ivr_flows.nodes import NamedPrompt
from changgu.telephony.speech.espeak import EspeakSynthesiser
from changgu.telephony.speech.mu_law import octets
from changgu.telephony.speech.recogniser import AT_ONCE
from changgu.telephony.speech.telephone_audio import SILENT_BELOW, read_wav

Say = Callable[[str], None]

MENUS: Mapping[str, tuple[str, ...]] = {
    "1": ("services", "services_person"),
    "2": ("own_services", "after_ticket_status"),
    "3": ("office_services", "survey_intro"),
}
"""Key that leads to a menu, and the prompts it says; every menu leads to all."""
TO_SPEECH = "4"
CONFIG = """
[voice]
use = "espeak"
"""
FLOW = """flow: main
title: 측정
start: menu_1
person: operator
limits: {turns: 1000, visit_minutes: 60}

nodes:
"""
MENU = """  menu_{key}:
    kind: menu
    say: [{say}]
    first_timeout: 6
    keys: {{1: menu_1, 2: menu_2, 3: menu_3, 4: speech_1, 0: operator}}
"""
SPEECH = """  {node}:
    kind: collect_speech
    say: ask_topic
    keys_say: ask_topic_by_key
    name: topic
    first_timeout: 1
    repeats: 0
    grammar:
      choices:
        - {{value: pc, words: [컴퓨터, 프린터], key: 1}}
        - {{value: network, words: [네트워크, 인터넷], key: 2}}
    next: {then}
    failed: {then}
"""
PLAIN_NUMBER = "7100"
"""Of the same menus in Asterisk's own dialplan."""
ALONE = "many, Asterisk alone"
QUESTIONS = 24
"""Asked one after the other; each keeps a recogniser, or the caller who finds none, for some seconds."""
OPERATOR = """  operator:
    kind: to_queue
    queue: bench
"""
AUDIBLE_GAP = 0.06
"""Seconds between two packets after which a telephone has nothing left to play."""
SLOWEST_KEY = 140_000_000
"""Nanoseconds from a key's first packet to the first that tells its end, which should be 100 ms apart: beyond 150 ms of
nothing Asterisk ends a key by itself, and it would not be the key that is timed."""
DIAL_RATE = 25.0


@dataclass(frozen=True, slots=True)
class MenusPlan:
    """How many callers, and for how long."""

    few: int = 50
    many: int = 500
    seconds: float = 30.0
    speakers: int = 24
    """Callers who talk to the recognisers, of which a desk has eight."""
    pauses: tuple[float, float] = (1.5, 5.0)
    """Seconds between the keys of one of the few."""
    many_pauses: tuple[float, float] = (4.0, 9.0)

    def quick(self) -> "MenusPlan":
        """A few callers, to see that it works."""
        return replace(self, few=10, many=40, seconds=8.0, speakers=12)


@dataclass(frozen=True, slots=True)
class Prompts:
    """What can be heard."""

    digests: npt.NDArray[np.uint64]
    """Of every audible frame that is in one menu only, sorted."""
    menus: npt.NDArray[np.int64]
    """Whose it is."""
    shortest: float
    """Seconds of the shortest menu."""

    def menu_of(self, heard: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Which menu each packet is of; 0 where that cannot be told."""
        at = np.minimum(np.searchsorted(self.digests, heard), len(self.digests) - 1)
        found: npt.NDArray[np.int64] = np.where(self.digests[at] == heard, self.menus[at], 0)
        return found


@dataclass(slots=True, eq=False)
class Walker:
    """A caller in the menus."""

    leg: Leg
    line: CallerLine
    pressed: list[tuple[str, Press]] = field(default_factory=list)
    """Key of the menu they went to, and when."""


def as_mu_law(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """G.711 as Asterisk makes it."""
    return np.frombuffer(octets(), np.uint8)[samples.view(np.uint16)]


def frames_of(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Rows of 20 ms."""
    return samples[: len(samples) // SAMPLES * SAMPLES].reshape(-1, SAMPLES)


async def spoken(data: Path, menus: Mapping[str, Sequence[str]]) -> dict[str, list[Path]]:
    """Menu → the sound files of its prompts, by name. `data` is the folder of a desk that speaks with espeak-ng and has
    made them."""
    settings = load(None, {"data": str(data), "voice.use": "espeak"})
    store = prompt_store(settings, desk_voice(settings, os.environ), os.environ)
    try:
        return {
            menu: [
                Path(f"{place.removeprefix('sound:')}.wav")
                for place in await store.playlist([NamedPrompt(name) for name in names], "ko")
            ]
            for menu, names in menus.items()
        }
    finally:
        await store.close()


async def sounds_of(data: Path, menus: Mapping[str, Sequence[str]]) -> dict[str, tuple[list[int], float]]:
    """Menu → what its prompts, by name, sound like (each audible frame as `digests` has it), and their seconds."""
    found: dict[str, tuple[list[int], float]] = {}
    for menu, files in (await spoken(data, menus)).items():
        audible: list[int] = []
        count = 0
        for file in files:
            with wave.open(str(file)) as sound:
                frames = frames_of(np.frombuffer(sound.readframes(sound.getnframes()), "<i2"))
            level = np.sqrt((frames.astype(float) ** 2).mean(axis=1))
            audible += digests(as_mu_law(frames[level > level.max() * SILENT_BELOW])).tolist()
            count += len(frames)
        found[menu] = audible, count * SAMPLES / 8000
    return found


async def prompts_of(floor: BenchFloor) -> Prompts:
    """The sounds that the desk plays, which has made them."""
    sounds = await sounds_of(floor.service.data, MENUS)
    whose: dict[int, int] = {}
    for key, (audible, _) in sounds.items():
        for digest in audible:
            whose[digest] = int(key) if whose.get(digest, int(key)) == int(key) else 0
    known = sorted(digest for digest, menu in whose.items() if menu)
    return Prompts(
        np.array(known, np.uint64), np.array([whose[digest] for digest in known], np.int64),
        min(seconds for _, seconds in sounds.values()),
    )  # fmt: skip


def flow_text() -> str:
    """The menus, each leading to all, and questions for the recognisers one after the other."""
    menus = "".join(MENU.format(key=key, say=", ".join(names)) for key, names in MENUS.items())
    nodes = [*(f"speech_{number}" for number in range(1, QUESTIONS + 1)), "menu_1"]
    speech = "".join(SPEECH.format(node=node, then=then) for node, then in pairwise(nodes))
    return FLOW + menus + speech + OPERATOR


def plain_menus(files: Mapping[str, Sequence[Path]]) -> list[str]:
    """Commands for Asterisk that make the same menus of its own dialplan, with the same files."""
    steps: list[tuple[str, str]] = []
    for menu, paths in files.items():
        said, context = "&".join(str(file.with_suffix("")) for file in paths), f"plain-menu-{menu}"
        steps += [(f"s,1,Background({said})", context), ("s,2,WaitExten(60)", context)]
        steps += [(f"{key},1,Goto(plain-menu-{key},s,1)", context) for key in files]
    steps += [(f"{PLAIN_NUMBER},1,Answer()", "from-callers")]
    steps += [(f"{PLAIN_NUMBER},2,Goto(plain-menu-{min(files)},s,1)", "from-callers")]
    return [f"dialplan add extension {step} into {context} replace" for step, context in steps]


@asynccontextmanager
async def _desk() -> AsyncIterator[BenchFloor]:
    async with floor_of(1) as floor:
        floor.service.config += CONFIG
        await floor.furnish()
        (floor.service.data / "menus" / "main.yaml").write_text(flow_text())
        await floor.service.up()
        floor.watch_wallboards()
        yield floor


async def dialled(
    phones: SipPhones, lines: Sequence[CallerLine], first: int, extension: str = "1000"
) -> list[Walker]:
    """Everybody calls, one after the other, and is answered."""
    walkers = []
    for number, line in enumerate(lines, first):
        walkers.append(Walker(phones.dial(f"010{number:08d}", extension, audio=line), line))
        await asyncio.sleep(1 / DIAL_RATE)
    async with asyncio.timeout(30):
        for walker in walkers:
            while not (walker.leg.up or walker.leg.over):
                await walker.leg.changed.wait()
    return walkers


async def hang_up(floor: BenchFloor, phones: SipPhones, walkers: Iterable[Walker]) -> None:
    """Everybody leaves, and the PBX has nobody left."""
    for walker in walkers:
        walker.line.close()
        phones.hang_up(walker.leg)
        await asyncio.sleep(0.002)
    await floor.nothing_on_the_line()


async def walk(walker: Walker, pauses: tuple[float, float], until: float, chance: random.Random) -> None:
    """Press keys until it is time, never that of the menu one is in."""
    loop, here = asyncio.get_running_loop(), "1"
    await asyncio.sleep(chance.uniform(0, pauses[1] - pauses[0]))
    while loop.time() < until and not walker.leg.over:
        here = chance.choice([key for key in MENUS if key != here])
        walker.pressed.append((here, walker.line.press(here)))
        await asyncio.sleep(chance.uniform(*pauses))


async def walked(
    floor: BenchFloor, rtp: RtpLines, walkers: Sequence[Walker], pauses: tuple[float, float], seconds: float,
    prompts: Prompts,
) -> Figures:  # fmt: skip
    """What these callers heard while they pressed keys for so long."""
    chance, loop = random.Random(2026), asyncio.get_running_loop()
    service = floor.service
    assert service.process is not None
    pids = {"changgu": service.process.pid, "Asterisk": service.pbx_pid}
    workers = _workers(floor)
    for walker in walkers:
        walker.pressed.clear()
    first = [(walker, walker.line.press("2")) for walker in walkers]  # so that it is known where everybody is
    for walker, press in first:
        walker.pressed.append(("2", press))
        await asyncio.sleep(0.5 / len(walkers))
    await asyncio.sleep(1.0)
    rtp.forget()
    for walker in walkers:
        walker.pressed.clear()
    used = {name: processor_seconds(pid) for name, pid in pids.items()}
    listened = sum(_processor(pid) for pid in workers)
    machine, ours = _machine_seconds(), time.process_time()
    begun = loop.time()
    await asyncio.gather(*(walk(walker, pauses, begun + seconds, chance) for walker in walkers))
    lasted = loop.time() - begun
    shares = {
        f"{name}, % of a core": 100 * (processor_seconds(pid) - used[name]) / lasted for name, pid in pids.items()
    }
    shares["recognisers, % of a core"] = 100 * (sum(_processor(pid) for pid in workers) - listened) / lasted
    shares["these phones, % of a core"] = 100 * (time.process_time() - ours) / lasted
    shares["other programs, % of a core"] = 100 * (_machine_seconds() - machine) / lasted - sum(shares.values())
    own = {
        "our own phones late by a frame or more, %": 100 * len(rtp.late) / max(1, rtp.turns),
        "at most, ms": 1000 * max(rtp.late, default=0.0),
    }
    return {**figures(rtp.heard(), walkers, prompts), **shares, **own}


def _workers(floor: BenchFloor) -> list[int]:
    """The processes of the service beside its own and the PBX: those that recognise speech."""
    pid = floor.service.process.pid if floor.service.process is not None else 0
    return [child for child in children(pid) if child != floor.service.pbx_pid]


def _machine_seconds() -> float:
    """What all processors of the machine have worked so far."""
    user, nice, system, _, _, irq, soft_irq, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")


def _processor(pid: int) -> float:
    try:
        return processor_seconds(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has ended


def figures(heard: npt.NDArray[Any], walkers: Sequence[Walker], prompts: Prompts) -> Figures:
    """Keys and gaps in what was heard, packets in order of time."""
    pressed_to: list[float] = []
    let_go_to: list[float] = []
    gaps: list[npt.NDArray[np.int64]] = []
    unheard = lost = slow = 0
    whose = prompts.menu_of(heard["digest"])
    for walker in walkers:
        if walker.line.to is None:
            continue
        mine = heard["port"] == walker.line.to[1]
        at, menu, sequence = heard["at"][mine], whose[mine], heard["sequence"][mine].astype(np.int32)
        steady = np.ones(max(len(at) - 1, 0), bool)
        for key, press in walker.pressed:
            first = np.flatnonzero((at > press.began) & (menu == int(key)))
            if not press.ended or not len(first):
                unheard += 1
                continue
            steady &= (at[:-1] >= at[first[0]]) | (at[1:] < press.began)
            if press.ended - press.began > SLOWEST_KEY:
                slow += 1
                continue
            pressed_to.append((at[first[0]] - press.began) / 1e6)
            let_go_to.append((at[first[0]] - press.ended) / 1e6)
        step = (sequence[1:] - sequence[:-1]) % 65536
        lost += int(((step - 1) * (step < 1000) * steady).sum())
        gaps.append((at[1:] - at[:-1])[steady & (step == 1)])
    every = np.concatenate(gaps) / 1e9 if gaps else np.zeros(0)
    return {
        "callers": float(len(walkers)),
        "keys": float(len(let_go_to)),
        "keys without a prompt": float(unheard),
        "keys that our phones were too slow for": float(slow),
        **{f"let go to sound {name}, ms": value for name, value in spread(let_go_to).items()},
        "let go to sound, longest, ms": max(let_go_to),
        **{f"pressed to sound {name}, ms": value for name, value in spread(pressed_to).items()},
        "packets of prompts": float(len(every)),
        "gaps over 60 ms, %": 100 * float((every > AUDIBLE_GAP).mean()),
        "gap p99.9, ms": 1000 * percentile(every.tolist(), 0.999),
        "longest gap, ms": 1000 * float(every.max()),
        "packets lost on the way, %": 100 * lost / max(1, len(every)),
        "calls that ended": float(sum(walker.leg.over for walker in walkers)),
    }


async def babble() -> npt.NDArray[np.uint8]:
    """Somebody who talks and talks, as frames of µ-law."""
    voice = EspeakSynthesiser()
    said: list[float] = []
    for sentence in OUTSIDE:
        said += read_wav(await voice.speak(sentence, "ko"))[0]
    await voice.close()
    return as_mu_law(frames_of((np.array(said) * 32767).astype(np.int16)))


async def measure_all(*, quick: bool, say: Say) -> dict[str, Any]:
    """Quiet, with recognition at work, many callers, and as many whom Asterisk serves alone."""
    plan = MenusPlan().quick() if quick else MenusPlan()
    many_files()
    found: dict[str, Figures] = {}
    async with _desk() as floor:
        prompts = await prompts_of(floor)
        longest = max(plan.pauses[1], plan.many_pauses[1])
        if prompts.shortest < longest + 0.5:
            raise RuntimeError(f"a menu says {prompts.shortest:.1f} s: its end would look like a gap")
        phones = await SipPhones.open(("127.0.0.1", floor.service.sip))
        try:
            with RtpLines.open(plan.few + plan.speakers) as rtp:
                few = await dialled(phones, rtp.callers[: plan.few], 0)
                found["quiet"] = await walked(floor, rtp, few, plan.pauses, plan.seconds, prompts)
                say(_said(f"{plan.few} callers", found["quiet"]))
                speakers = await _speaking(floor, phones, rtp.callers[plan.few :], plan.few)
                found["recognition at work"] = await walked(floor, rtp, few, plan.pauses, plan.seconds, prompts)
                say(_said("the same with every recogniser at work", found["recognition at work"]))
                await hang_up(floor, phones, (*few, *speakers))
            for command in plain_menus(await spoken(floor.service.data, MENUS)):
                await floor.pbx_says(command)
            for name, number in (("many", "1000"), (ALONE, PLAIN_NUMBER)):
                with RtpLines.open(plan.many) as rtp:
                    many = await dialled(phones, rtp.callers, 1000, number)
                    found[name] = await walked(floor, rtp, many, plan.many_pauses, plan.seconds, prompts)
                    say(_said(f"{plan.many} callers, {name}", found[name]))
                    await hang_up(floor, phones, many)
        finally:
            phones.close()
    return {"menus": found}


async def _speaking(
    floor: BenchFloor, phones: SipPhones, lines: Sequence[CallerLine], first: int
) -> Sequence[Walker]:
    """Callers who talk to every recogniser there is, and to more."""
    words = await babble()
    speakers = await dialled(phones, lines, first)
    for number, speaker in enumerate(speakers):
        speaker.line.speak(words, number * 37)
        speaker.line.press(TO_SPEECH)
    until = time.monotonic() + 60
    while True:  # the model is loaded with the first question
        before = sum(_processor(one) for one in _workers(floor))
        await asyncio.sleep(2.0)
        if sum(_processor(one) for one in _workers(floor)) - before > 1.0 and len(_workers(floor)) > AT_ONCE:
            return speakers
        if time.monotonic() > until:
            raise RuntimeError("the recognisers are not at work")


def _said(what: str, of: Figures) -> str:
    p50, p95, gaps = (of[name] for name in ("let go to sound p50, ms", "let go to sound p95, ms", "gaps over 60 ms, %"))
    return f"{what}: key let go to sound p50 {p50:.0f} ms, p95 {p95:.0f} ms; gaps over 60 ms {gaps:.4f} %"


def report(result: Mapping[str, Any]) -> str:
    """A Markdown table of the four."""
    found: Mapping[str, Figures] = result["menus"]
    names = list(found["quiet"])
    return "### Callers in menus\n\n" + table(
        ["", *found], [[name, *(of[name] for of in found.values())] for name in names]
    )
