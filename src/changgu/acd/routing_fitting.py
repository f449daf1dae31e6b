"""The example of the routing rules, with a desk's own names in it instead of the invented ones."""

import re

from changgu.acd.queues import Agent, Floor
from changgu.acd.skills import EVERY, levels


def fitted(text: str, floor: Floor) -> str:
    """The example with this floor's own queues, agent and skill instead of the invented ones, if there are any."""
    queues = [queue.name for queue in floor.queues]
    for invented in ("network", "helpdesk"):
        others = [name for name in queues if not re.search(rf"\b{re.escape(name)}\b", text)]
        if invented not in queues and others:
            text = re.sub(rf"\b{invented}\b", others[0], text)
    skills = sorted({skill for agent in floor.agents for skill in levels(agent.skills)})
    if "english" not in skills:
        text = text.replace('"english"', f'"{skills[0] if skills else EVERY}"')
    if "alice" not in {agent.login for agent in floor.agents}:
        head, _, _ = text.partition("seats = {")
        named = max(floor.agents, key=lambda agent: sum(name in head for name in agent.queues), default=None)
        text = _with_agent(text, named)
    return text


def _with_agent(text: str, agent: Agent | None) -> str:
    head, title, tail = text.partition("[agent.alice]")
    if agent is None:  # nobody yet: the lines are there to be read
        return head + "".join(f"# {line}" if line[:1] not in ("#", "\n") else line for line in
                              (title + tail).splitlines(keepends=True))
    seats = [seat for seat in re.findall(r"(\w[\w-]*) = (\{[^{}]*\})", tail) if seat[0] in agent.queues]
    listed = ", ".join(f"{queue} = {seat}" for queue, seat in seats)
    tail = re.sub(r"^seats = .*$", f"seats = {{ {listed} }}" if listed else "seats = {}", tail, flags=re.M)
    return f"{head}[agent.{agent.login}]{tail}"


def commented_out(text: str) -> str:
    """Nothing of it holds; all of it can be read, and each line be taken up by removing its `# `."""
    lines = text.splitlines(keepends=True)
    return "".join(line if line.startswith(("#", "\n")) else f"# {line}" for line in lines)
