"""The message bus: every exchange and queue in one table, JSON messages, publisher confirms, and the consumer loop.

The same code runs over RabbitMQ (``amqp://``) and the embedded Valkey (``redis://``); only the URL differs.
"""

from st2common.bus.connection import Bus
from st2common.bus.consumer import Consumer, Delivery
from st2common.bus.topology import (
    CONTROL,
    EVENTS,
    EXECUTIONS_FINISHED,
    EXECUTIONS_REQUESTED,
    TRIGGER_INSTANCES,
    WORK,
    WORKFLOW_INBOX,
    WORKFLOW_WORK,
)

__all__ = [
    "CONTROL", "EVENTS", "EXECUTIONS_FINISHED", "EXECUTIONS_REQUESTED", "TRIGGER_INSTANCES", "WORK", "WORKFLOW_INBOX", "WORKFLOW_WORK",
    "Bus", "Consumer", "Delivery",
]  # fmt: skip
