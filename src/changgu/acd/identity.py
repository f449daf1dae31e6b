"""The names by which calls, agents, queues and offers are known everywhere."""

from typing import NewType

CallId = NewType("CallId", str)
"""One visit of one caller: the Uniqueid of the caller's channel, so queue_log, CEL and our ledger agree."""

AgentId = NewType("AgentId", str)
"""An agent's login."""

QueueName = NewType("QueueName", str)
"""A queue's short name, as in the queue list: letters, digits, `-` and `_`."""

OfferId = NewType("OfferId", int)
"""One attempt to bring one call to one agent; never used twice in a ledger."""

Instant = float
"""Seconds since the epoch on a clock that never steps (see `acd.runner.SteadyClock`)."""

CallbackId = NewType("CallbackId", str)
"""One promise to call somebody back, over all attempts to keep it."""
