"""Load, advance, save: one step of a workflow run, refused and taken anew when another engine was faster.

Order of a step: the state is saved, then the commands that follow from it are carried out, then the message is acknowledged. Whoever
loads a run from the database first does what it still owes (the conductor knows from its state; a chain keeps its last step as
``todo``): every command is idempotent, so a crash at any point loses nothing and starts nothing twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from bson import ObjectId

from st2actions.workflows.chains import ChainDriver
from st2actions.workflows.children import Children
from st2actions.workflows.orquesta import OrquestaRun
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.store.workflows import StoredWorkflow
from st2common.workflows import chain, commands, events
from st2common.workflows.errors import ChainError, DefinitionError
from st2common.workflows.spec import parse_cached

LOG = getLogger("st2actions.workflows.steps")
_CACHED = 200
_TRIES = 50

ORQUESTA, CHAIN = "orquesta", "action-chain"


class Steps:
    """Takes steps of workflow runs; keeps recent runs in memory, which saves loading them while nobody else steps them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.children = Children(platform)
        self._cache: OrderedDict[ObjectId, OrquestaRun | ChainDriver] = OrderedDict()
        self._locks: dict[ObjectId, threading.Lock] = {}
        self._guard = threading.Lock()

    # -- loading -----------------------------------------------------------------------------------------------------

    def load(self, id: ObjectId) -> OrquestaRun | ChainDriver | None:
        """The run with that id, from memory or from the database; what its last step left undone is done first."""
        with self._guard:
            kept = self._cache.get(id)
            if kept is not None:
                self._cache.move_to_end(id)
                return kept
        workflow = self._platform.store.workflows.get(id)
        if workflow is None:
            return None
        run = self._make(workflow)
        run.resume_from_store()
        self._finish_outstanding(run)
        self._keep(run)
        return run

    def definition(self, workflow: StoredWorkflow) -> str:
        """Text of the definition that the run began with."""
        return str(self._platform.store.snapshots.get(workflow.definition).get("text", ""))

    def forget(self, id: ObjectId) -> None:
        """Drop a run from memory: somebody else stepped it, or it ended."""
        with self._guard:
            self._cache.pop(id, None)

    def lock(self, id: ObjectId) -> threading.Lock:
        """One step of a run at a time in this process."""
        with self._guard:
            if len(self._locks) > 10_000:
                self._locks = {key: lock for key, lock in self._locks.items() if lock.locked()}
            return self._locks.setdefault(id, threading.Lock())

    def _make(self, workflow: StoredWorkflow) -> OrquestaRun | ChainDriver:
        text = self.definition(workflow)
        if workflow.kind == CHAIN:
            return ChainDriver(self._platform, self.children, workflow, chain.parse(text))
        return OrquestaRun(self._platform, self.children, workflow, parse_cached(text))

    def _keep(self, run: OrquestaRun | ChainDriver) -> None:
        with self._guard:
            self._cache[run.workflow.id] = run
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)

    def _finish_outstanding(self, run: OrquestaRun | ChainDriver) -> None:
        if isinstance(run, OrquestaRun):
            owed = run.outstanding()
            if owed:
                self._settle_orquesta(run, owed)
        elif run.workflow.todo:
            self._settle_chain(run, _chain_step(run.workflow.todo[0], run.definition))

    # -- stepping ----------------------------------------------------------------------------------------------------

    def create(self, run: OrquestaRun | ChainDriver, todo: list[chain.Step], parts: dict[str, Any]) -> bool:
        """Store a new run with its first step. False when it exists (the message came twice)."""
        run.workflow.todo, run.workflow.parts = [_stored(item) for item in todo], parts
        if not self._platform.store.workflows.create(run.workflow):
            return False
        self._keep(run)
        return True

    def orquesta(self, id: ObjectId, happened: Callable[[OrquestaRun], Iterable[events.Event]]) -> None:
        """Take one step with the events that ``happened`` finds for the run as it stands."""
        with self.lock(id):
            for _ in range(_TRIES):
                run = self.load(id)
                if not isinstance(run, OrquestaRun):
                    return
                news = list(happened(run))
                if not news:
                    return
                decided = run.advance(news)
                if self._save(run, [], run.changed_parts()):
                    run.mark_saved()
                    self._settle_orquesta(run, decided)
                    return
            LOG.error("workflow %s: no step could be saved in %d tries", id, _TRIES)

    def chain(self, id: ObjectId, happened: Callable[[ChainDriver], chain.Step | None]) -> None:
        """The same for a chain."""
        with self.lock(id):
            for _ in range(_TRIES):
                driver = self.load(id)
                if not isinstance(driver, ChainDriver):
                    return
                step = happened(driver)
                if step is None or isinstance(step, chain.Wait):
                    if step is not None:
                        self._save(driver, [], driver.state())
                    return
                if isinstance(step, chain.RunTask):
                    driver.next_number()
                driver.workflow.status = _chain_status(step)
                if self._save(driver, [step], driver.state()):
                    self._settle_chain(driver, step)
                    return

    def settle_new(self, run: OrquestaRun | ChainDriver, decided: list[Any]) -> None:
        """Carry out the first step of a run just created."""
        with self.lock(run.workflow.id):
            if isinstance(run, OrquestaRun):
                self._settle_orquesta(run, decided)
            elif decided:
                self._settle_chain(run, decided[0])

    def _save(self, run: OrquestaRun | ChainDriver, todo: list[chain.Step], parts: dict[str, Any]) -> bool:
        run.workflow.todo = [_stored(item) for item in todo]
        if self._platform.store.workflows.save(run.workflow, parts):
            return True
        self.forget(run.workflow.id)
        return False

    def _settle_orquesta(self, run: OrquestaRun, decided: list[commands.Command]) -> None:
        """Carry out commands; requests that were refused are events of a further step."""
        while True:
            try:
                more = run.carry_out(decided)
            except BaseException:
                self.forget(run.workflow.id)
                raise
            if not more:
                return
            decided = run.advance(more)
            if not self._save(run, [], run.changed_parts()):
                return
            run.mark_saved()

    def _settle_chain(self, driver: ChainDriver, step: chain.Step) -> None:
        while True:
            try:
                more = driver.carry_out(step)
            except BaseException:
                self.forget(driver.workflow.id)
                raise
            driver.workflow.todo = []
            if more is None:
                return
            step = more
            driver.workflow.status = _chain_status(step)
            if not self._save(driver, [step], driver.state()):
                return


def read_definition(base: Path, entry_point: str) -> str:
    """Text of a workflow file; read at every start of a run (workflows.md section 1).

    Raises:
        DefinitionError: it is not there or not text.
    """
    path = base / "actions" / entry_point
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f'The workflow file "{path}" cannot be read: {error}') from error


_STEPS = {kind.__name__: kind for kind in (chain.RunTask, chain.Wait, chain.ChainPaused, chain.ChainFinished)}


def _stored(item: chain.Step) -> dict[str, Any]:
    """A chain step as JSON data."""
    if isinstance(item, chain.RunTask):
        return {"kind": "RunTask", "name": item.name, "ref": item.ref, "parameters": item.parameters}
    return {"kind": type(item).__name__, **orjson.loads(orjson.dumps(asdict(item), default=str, option=orjson.OPT_NON_STR_KEYS))}


def _chain_step(data: dict[str, Any], definition: chain.ChainSpec) -> chain.Step:
    values = {key: value for key, value in data.items() if key != "kind"}
    if data["kind"] == "RunTask":
        node = definition.node(values["name"])
        if node is None:
            raise ChainError(f"the chain has no task {values['name']}")
        values["node"] = node
    made: chain.Step = _STEPS[data["kind"]](**values)
    return made


def _chain_status(step: chain.Step) -> str:
    if isinstance(step, chain.ChainFinished):
        return step.status
    return "paused" if isinstance(step, chain.ChainPaused) else "running"
