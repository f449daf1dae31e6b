"""From the YAML that a supervisor edits to a `Flow`, or to a list of what is wrong and where.

    flow: main
    title: 대표 안내
    start: greeting
    person: operator
    entries: [services]
    limits: {turns: 60, visit_minutes: 10}
    nodes:
      greeting:  {kind: say, say: [greeting, recording_notice], mandatory: true, next: services}
      services:  {kind: menu, say: services, keys: {1: pc, 8: status}, repeat_key: 9, repeats: 2, first_timeout: 6}
      status:    {kind: ticket_status, say: ask_ticket_number, next: services}
      pc:        {kind: to_queue, say: to_pc, queue: pc, priority: 0, skills: [printer, "vpn:3"], agent: alice}
      operator:  {kind: to_queue, say: to_person, queue: helpdesk}
      goodbye:   {kind: hang_up, say: goodbye, served: true}

`entries` (may be left out) are the nodes at which callers come in from a queue that they leave by a key. All kinds of
nodes and their fields are in `kinds.KINDS`. A flow with `parameters` is a sub-flow: it has no person of its own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from changgu.ivr_flows.calendar_reader import CalendarReader
from changgu.ivr_flows.checks import Staff, check
from changgu.ivr_flows.checks_of_words import languages_chosen
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.flow_reader import FlowReader
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.nodes import SubFlow
from changgu.ivr_flows.opening_hours import Calendar
from changgu.ivr_flows.problems import FlowErrors, Problem, Severity


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of reading and checking one file."""

    file: str
    flow: Flow | None
    """None when the file has errors."""
    problems: tuple[Problem, ...]
    menu: MenuSet | None = None
    """Of a set without errors: all that the tree needs (`menu_set.carried`)."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the flow off the air."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems) or f"{self.file}: ok"


@dataclass(frozen=True, slots=True)
class Beside:
    """What a flow is read with: the texts of other flows, the table of opening hours, what a recogniser knows."""

    flows: Mapping[str, str] = field(default_factory=dict)
    """Name → YAML, of all that may be called."""
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    vocabulary: Mapping[str, Collection[str]] | None = None
    """Language → words that the recogniser can hear; None: not known here, not checked."""
    problems: tuple[Problem, ...] = ()
    """What was wrong with these; it keeps flows off the air like mistakes of their own."""


def load(
    text: str, file: str, queues: Collection[str] | None, catalogues: Mapping[str, Collection[str]],
    staff: Staff | None = None, beside: Beside | None = None,
) -> Flow:  # fmt: skip
    """The flow in `text`; raises `FlowErrors` with all that is wrong. `file` is for the messages only."""
    report = inspect(text, file, queues, catalogues, staff, beside)
    if report.flow is None:
        raise FlowErrors(report.errors)
    return report.flow


def inspect(
    text: str, file: str, queues: Collection[str] | None, catalogues: Mapping[str, Collection[str]],
    staff: Staff | None = None, beside: Beside | None = None,
) -> Report:  # fmt: skip
    """Read and check: errors and warnings in the order of the file, those of its sub-flows after them.

    `queues`: names known to the site (None: not checked; so for `staff`); `catalogues`: language → names of prompts,
    or name → sentence, in which case it is also looked for what a menu tells of 0.
    """
    beside = beside or Beside()
    reader = FlowReader(file)
    flow = reader.read(text)
    problems = [*reader.problems, *beside.problems]
    if flow is not None:
        others, unread, readers = _sub_flows(flow, beside)
        flow = replace(flow, flows=others, calendars=beside.calendars)
        languages = {language for one in (flow, *others.values()) for language in languages_chosen(one)}
        for at, one in ((reader, flow), *((readers[name], sub) for name, sub in others.items())):
            whole = replace(one, flows=others, calendars=beside.calendars)
            for finding in check(
                whole, queues, catalogues, staff, vocabulary=beside.vocabulary, languages=languages
            ):  # fmt: skip
                place = at.where(finding.node, finding.field)
                problems.append(Problem(at.file, place, finding.severity, finding.ko, finding.en))
        problems += unread
    problems.sort(key=lambda problem: (problem.file != file, problem.file, problem.place.line, problem.place.column))
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    return Report(file, None if failed else flow, tuple(problems))


def read_calendars(text: str, file: str, zone: str = "Asia/Seoul") -> tuple[dict[str, Calendar], tuple[Problem, ...]]:
    """The tables of opening hours by name, and what is wrong with the file."""
    reader = CalendarReader(file, zone=zone)
    found = reader.read(text)
    return found, tuple(reader.problems)


def _sub_flows(flow: Flow, beside: Beside) -> tuple[dict[str, Flow], list[Problem], dict[str, FlowReader]]:
    """All flows that this one calls, however deep; those that cannot be read are told of, those that are not there
    are left to the checks."""
    found: dict[str, Flow] = {}
    problems: list[Problem] = []
    readers: dict[str, FlowReader] = {}
    ahead = [flow]
    while ahead:
        for node in ahead.pop().nodes.values():
            if not isinstance(node, SubFlow) or node.flow in readers or node.flow not in beside.flows:
                continue
            reader = readers[node.flow] = FlowReader(f"{node.flow}.yaml")
            called = reader.read(beside.flows[node.flow])
            problems += reader.problems
            if called is not None:
                found[node.flow] = called
                ahead.append(called)
    return found, problems, readers
