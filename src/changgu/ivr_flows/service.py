"""Menu trees and prompts as files: the shipped ones, the site's own, checked and walked."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path

from changgu.ivr_flows.checks import Staff
from changgu.ivr_flows.draw import Counts, draw, draw_svg
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import Beside, Report, inspect, read_calendars
from changgu.ivr_flows.menu_set import MenuFiles, MenuSet, carried
from changgu.ivr_flows.opening_hours import Calendar
from changgu.ivr_flows.problems import FlowErrors, Place, Problem, Severity
from changgu.ivr_flows.walks import World, read_catalogue, sentences_of, walk

LANGUAGES = ("ko", "en")

MAIN = "main"
"""The tree that answers the desk's number."""

CALENDARS = "calendars"
"""The file of opening hours beside the menus, `calendars.yaml`."""


def shipped_menu(name: str = "main") -> Path:
    """The path of a menu tree that comes with changgu."""
    return Path(str(resources.files("changgu.ivr_flows") / "menus" / f"{name}.yaml"))


def shipped_flows() -> list[Path]:
    """The paths of all menu trees that come with changgu."""
    return [path for path in sorted(shipped_menu().parent.glob("*.yaml")) if path.stem != CALENDARS]


def sentences(language: str, site_folder: Path | None = None) -> dict[str, str]:
    """Prompt name → sentence: the pieces of numbers, the shipped catalogue, and over it the site's own
    `<site_folder>/<language>.toml` if there is one. Raises ValueError when a catalogue cannot be read."""
    shipped = resources.files("changgu.ivr_flows") / "prompts" / f"{language}.toml"
    said = sentences_of(read_catalogue(shipped.read_text("utf-8")), language)
    return said | (own_sentences(language, site_folder) if site_folder else {})


def own_sentences(language: str, site_folder: Path) -> dict[str, str]:
    """The sentences of the site's own catalogue, if it has one; raises ValueError as `sentences` does."""
    own = site_folder / f"{language}.toml"
    return read_catalogue(own.read_text("utf-8")) if own.exists() else {}


def read_files(data: Path, shipped_prefix: str) -> MenuFiles:
    """The files of the desk's menu in a data folder: `menus/*.yaml` and `prompts/*.toml`, over the shipped ones.

    Raises `FlowErrors` when the tree itself cannot be read, and ValueError when a catalogue of sentences cannot.
    """
    folder = data / "menus"
    flows = {path.stem: path.read_text("utf-8") for path in shipped_flows()}
    own: dict[str, str] = {}
    problems: tuple[Problem, ...] = ()
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        try:
            own[path.stem] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as trouble:
            unread = _unread(path, trouble)
            if path.stem == MAIN:
                raise FlowErrors((unread,)) from trouble
            problems += (unread,)
    calendars, text = (own.pop(name) or "\n" if name in own else "" for name in (CALENDARS, MAIN))
    said = {language: sentences(language, data / "prompts") for language in LANGUAGES}
    own_said = {language: own_sentences(language, data / "prompts") for language in LANGUAGES}
    whole = MenuSet(
        text or flows[MAIN], flows | own, calendars or shipped_menu(CALENDARS).read_text("utf-8"), said
    )  # fmt: skip
    ours = MenuSet(text, own, calendars, own_said)
    file = folder / f"{MAIN}.yaml" if text else folder / f"{CALENDARS}.yaml" if calendars else data
    is_shipped = not (text or own or calendars or any(own_said.values()))
    return MenuFiles(f"{shipped_prefix}{MAIN}.yaml" if is_shipped else str(file), whole, ours, problems)


def check_set(
    menu: MenuSet, file: str, files: MenuFiles, queues: Collection[str] | None = None, staff: Staff | None = None,
    *, zone: str = "Asia/Seoul", vocabulary: Mapping[str, Collection[str]] | None = None,
) -> Report:  # fmt: skip
    """Read and check a menu with all that it needs; what it does not carry itself is taken from `files`."""
    hours, problems = read_calendars(menu.calendars or files.menu.calendars, f"{CALENDARS}.yaml", zone)
    others = Beside({**files.menu.flows, **menu.flows}, hours, vocabulary, problems)
    report = inspect(menu.text, file, queues, menu.over(files.menu.sentences), staff, others)
    if report.flow is None:
        return report
    whole = carried(menu, files.menu, report.flow)
    return replace(report, flow=replace(report.flow, sentences=whole.sentences), menu=whole)


def beside(
    menus_folder: Path | None = None, zone: str = "Asia/Seoul", vocabulary: Mapping[str, Collection[str]] | None = None
) -> Beside:
    """What flows are read with: the shipped ones and over them those of the site; its own table of hours, if any.

    A file that cannot be read is told of with the first flow that is checked.
    """
    flows = {path.stem: path.read_text("utf-8") for path in shipped_flows()}
    hours, problems = _calendars(shipped_menu(CALENDARS), zone)
    if menus_folder is not None and menus_folder.is_dir():
        for path in sorted(menus_folder.glob("*.yaml")):
            if path.stem == CALENDARS:
                hours, wrong = _calendars(path, zone)
                problems += wrong
                continue
            try:
                flows[path.stem] = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as trouble:
                problems += (_unread(path, trouble),)
    return Beside(flows, hours, vocabulary, problems)


def _calendars(path: Path, zone: str) -> tuple[dict[str, Calendar], tuple[Problem, ...]]:
    try:
        return read_calendars(path.read_text("utf-8"), str(path), zone)
    except (OSError, UnicodeDecodeError) as trouble:
        return {}, (_unread(path, trouble),)


def _unread(path: Path, trouble: OSError | UnicodeDecodeError) -> Problem:
    why = trouble.strerror if isinstance(trouble, OSError) else trouble
    return Problem(str(path), Place(), Severity.ERROR, f"읽을 수 없습니다: {why}", f"cannot be read: {why}")


def check_file(
    path: Path, queues: Collection[str] | None = None, prompts_folder: Path | None = None, staff: Staff | None = None,
    others: Beside | None = None,
) -> Report:  # fmt: skip
    """Read and check one menu tree. `queues` and `staff`: known to the site, or None to leave them unchecked."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as trouble:
        return Report(str(path), None, (_unread(path, trouble),))
    return check_text(text, str(path), queues, prompts_folder, staff, others)


def check_text(
    text: str,
    file: str,
    queues: Collection[str] | None = None,
    prompts_folder: Path | None = None,
    staff: Staff | None = None,
    others: Beside | None = None,
) -> Report:
    """The same for the text of a menu tree that is in no file; `file` is for the messages. `others`: see `beside`,
    by default with nothing of the site's own."""
    catalogues = {language: sentences(language, prompts_folder) for language in LANGUAGES}
    return inspect(text, file, queues, catalogues, staff, others or beside())


def load_file(
    path: Path, queues: Collection[str] | None = None, prompts_folder: Path | None = None, staff: Staff | None = None,
    others: Beside | None = None,
) -> Flow:  # fmt: skip
    """The flow of one file; raises `FlowErrors`."""
    report = check_file(path, queues, prompts_folder, staff, others)
    if report.flow is None:
        raise FlowErrors(report.errors)
    return report.flow


def walk_file(
    path: Path, keys: str, language: str = "ko", prompts_folder: Path | None = None, others: Beside | None = None,
    world: World | None = None,
) -> str:  # fmt: skip
    """The transcript of a caller who presses `keys` (see `walks.Fingers`); raises `FlowErrors`."""
    flow = load_file(path, None, prompts_folder, None, others)
    said = {one: sentences(one, prompts_folder) for one in LANGUAGES}
    return walk(flow, keys, said[language], language=language, world=replace(world or World(), sentences=said))


def draw_file(
    path: Path, language: str = "ko", prompts_folder: Path | None = None, others: Beside | None = None,
    counts: Counts | None = None, *, svg: bool = False,
) -> str:  # fmt: skip
    """The tree as text or as a picture, with what callers did there if that is known; raises `FlowErrors`."""
    flow = load_file(path, None, prompts_folder, None, others)
    paint = draw_svg if svg else draw
    return paint(flow, sentences(language, prompts_folder), counts)
