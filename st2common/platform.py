"""The parts of a process, put together from one configuration. The only place that does so; services get a ``Platform``."""

from __future__ import annotations

from functools import cached_property

from st2common.bus import Bus
from st2common.clock import Clock
from st2common.config import Config
from st2common.content_cache import ContentCache
from st2common.datastore import Datastore
from st2common.dispatch import TriggerDispatcher
from st2common.execution.aftermath import Aftermath
from st2common.execution.control import ExecutionControl
from st2common.execution.pages import ExecutionPages
from st2common.execution.request import ExecutionRequests
from st2common.execution.view import ExecutionView
from st2common.metrics import Metrics
from st2common.store import Store, connect


class Platform:
    """Everything that services share. Parts are made when first asked for; none of them connects before it is used."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or Clock()

    @cached_property
    def store(self) -> Store:
        """The database."""
        return connect(self.config, self.clock)

    @cached_property
    def bus(self) -> Bus:
        """The broker."""
        return Bus(self.config)

    @cached_property
    def metrics(self) -> Metrics:
        """This process's metrics."""
        return Metrics(self.config.metrics)

    @cached_property
    def content(self) -> ContentCache:
        """Actions, runner types, policies by reference."""
        return ContentCache(self.store)

    @cached_property
    def datastore(self) -> Datastore:
        """Datastore reads, encryption, pack configurations."""
        return Datastore(self.store, self.config)

    @cached_property
    def view(self) -> ExecutionView:
        """API forms of executions."""
        return ExecutionView(self.store, self.config.webui.webui_base_url, mask=self.config.api.mask_secrets)

    @cached_property
    def pages(self) -> ExecutionPages:
        """First pages of the list of executions."""
        return ExecutionPages(self.store, self.view)

    @cached_property
    def requests(self) -> ExecutionRequests:
        """Accepting executions."""
        return ExecutionRequests(self.store, self.bus, self.content, self.datastore, self.view, self.clock, self.metrics)

    @cached_property
    def aftermath(self) -> Aftermath:
        """What follows an execution's end."""
        return Aftermath(self.store, self.bus, self.content, self.view, self.config, self.clock, self.metrics)

    @cached_property
    def control(self) -> ExecutionControl:
        """Cancel, pause, resume, re-run."""
        return ExecutionControl(self.store, self.bus, self.requests, self.view, self.aftermath)

    @cached_property
    def dispatcher(self) -> TriggerDispatcher:
        """Events in."""
        return TriggerDispatcher(self.store, self.bus, self.clock, validate_payload=self.config.system.validate_trigger_payload)

    def close(self) -> None:
        """Close what was opened."""
        if "bus" in self.__dict__:
            self.bus.close()
        if "store" in self.__dict__:
            self.store.close()
