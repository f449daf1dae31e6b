"""Menu trees and prompts as files: the shipped ones, the site's own, checked and walked."""

from collections.abc import Collection
from importlib import resources
from pathlib import Path

from changgu.ivr_flows.checks import Staff
from changgu.ivr_flows.draw import draw
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import Report, inspect
from changgu.ivr_flows.problems import FlowErrors, Place, Problem, Severity
from changgu.ivr_flows.walks import read_catalogue, sentences_of, walk

LANGUAGES = ("ko", "en")


def shipped_menu(name: str = "main") -> Path:
    """The path of a menu tree that comes with changgu."""
    return Path(str(resources.files("changgu.ivr_flows") / "menus" / f"{name}.yaml"))


def sentences(language: str, site_folder: Path | None = None) -> dict[str, str]:
    """Prompt name → sentence: the pieces of numbers, the shipped catalogue, and over it the site's own
    `<site_folder>/<language>.toml` if there is one. Raises ValueError when a catalogue cannot be read."""
    shipped = resources.files("changgu.ivr_flows") / "prompts" / f"{language}.toml"
    said = sentences_of(read_catalogue(shipped.read_text("utf-8")), language)
    own = site_folder / f"{language}.toml" if site_folder else None
    if own is not None and own.exists():
        said |= read_catalogue(own.read_text("utf-8"))
    return said


def check_file(
    path: Path, queues: Collection[str] | None = None, prompts_folder: Path | None = None, staff: Staff | None = None
) -> Report:
    """Read and check one menu tree. `queues` and `staff`: known to the site, or None to leave them unchecked."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as trouble:
        why = trouble.strerror if isinstance(trouble, OSError) else trouble
        unread = Problem(str(path), Place(), Severity.ERROR, f"읽을 수 없습니다: {why}", f"cannot be read: {why}")
        return Report(str(path), None, (unread,))
    return check_text(text, str(path), queues, prompts_folder, staff)


def check_text(
    text: str,
    file: str,
    queues: Collection[str] | None = None,
    prompts_folder: Path | None = None,
    staff: Staff | None = None,
) -> Report:
    """The same for the text of a menu tree that is in no file; `file` is for the messages."""
    catalogues = {language: sentences(language, prompts_folder) for language in LANGUAGES}
    return inspect(text, file, queues, catalogues, staff)


def load_file(
    path: Path, queues: Collection[str] | None = None, prompts_folder: Path | None = None, staff: Staff | None = None
) -> Flow:
    """The flow of one file; raises `FlowErrors`."""
    report = check_file(path, queues, prompts_folder, staff)
    if report.flow is None:
        raise FlowErrors(report.errors)
    return report.flow


def walk_file(path: Path, keys: str, language: str = "ko", prompts_folder: Path | None = None) -> str:
    """The transcript of a caller who presses `keys` (see `walks.Fingers`); raises `FlowErrors`."""
    flow = load_file(path, None, prompts_folder)
    return walk(flow, keys, sentences(language, prompts_folder), language=language)


def draw_file(path: Path, language: str = "ko", prompts_folder: Path | None = None) -> str:
    """The tree as text; raises `FlowErrors`."""
    return draw(load_file(path, None, prompts_folder), sentences(language, prompts_folder))
