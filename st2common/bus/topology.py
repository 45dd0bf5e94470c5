"""Every exchange, queue and routing key, in one table.

Work channels are durable queues shared by all processes of the service that reads them: each message is taken once. Fanout
channels are transient: every listener gets every message, nobody listening is fine. A lost fanout message loses nothing,
because what it says is in the database as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from kombu import Exchange, Queue


@dataclass(frozen=True)
class Channel:
    """One row of the table.

    Attributes:
        name: name of the exchange (and queue), without prefix.
        kind: "work" or "fanout".
        reader: the service that consumes it.
        carries: what a message says.
    """

    name: str
    kind: str
    reader: str
    carries: str


TRIGGER_INSTANCES = Channel("trigger_instances", "work", "st2rulesengine", "an event to match against rules")
EXECUTIONS_REQUESTED = Channel("executions.requested", "work", "st2scheduler", "id of an execution with a delay or a policy")
WORK = Channel("executions.scheduled", "work", "st2actionrunner", "id of an execution to run")
WORKFLOW_WORK = Channel("workflows.scheduled", "work", "st2workflowengine", "id of a workflow execution to start")
WORKFLOW_INBOX = Channel("workflows.inbox", "work", "st2workflowengine", "id of a workflow execution that has something in its inbox")
EXECUTIONS_FINISHED = Channel("executions.finished", "work", "st2notifier", "id of an ended execution that somebody waits for")
EVENTS = Channel("events", "fanout", "st2stream", "what listeners of the event stream see")
CONTROL = Channel("control", "fanout", "st2actionrunner, st2sensorcontainer, st2timersengine", "cancel this; triggers or sensors changed")

TOPOLOGY = (TRIGGER_INSTANCES, EXECUTIONS_REQUESTED, WORK, WORKFLOW_WORK, WORKFLOW_INBOX, EXECUTIONS_FINISHED, EVENTS, CONTROL)


def exchange(channel: Channel, prefix: str) -> Exchange:
    """The kombu exchange of a row."""
    durable = channel.kind == "work"
    return Exchange(f"{prefix}.{channel.name}", type="direct" if durable else "fanout", durable=durable, delivery_mode=2 if durable else 1)


def work_queue(channel: Channel, prefix: str, *, quorum: bool = False) -> Queue:
    """The durable queue of a work channel."""
    name = f"{prefix}.{channel.name}"
    arguments = {"x-queue-type": "quorum"} if quorum else None
    return Queue(name, exchange(channel, prefix), routing_key=name, durable=True, queue_arguments=arguments)


def listener_queue(channel: Channel, prefix: str, listener: str) -> Queue:
    """A listener's own transient queue on a fanout channel."""
    name = f"{prefix}.{channel.name}.{listener}"
    return Queue(name, exchange(channel, prefix), durable=False, exclusive=True, auto_delete=True)
