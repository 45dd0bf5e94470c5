"""Load, advance, save: one step of a workflow run, refused and taken anew when another engine was faster.

Order of a step: the state is saved, then the commands that follow from it are carried out, then the message is acknowledged. Whoever
loads a run from the database first does what it still owes (the conductor knows from its state; a chain keeps its last step as
``todo``): every command is idempotent, so a crash at any point loses nothing and starts nothing twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from bson import ObjectId

from st2actions.workflows.chains import ChainDriver
from st2actions.workflows.children import Children
from st2actions.workflows.orquesta import OrquestaRun, finish
from st2common import states
from st2common.exceptions import Unavailable
from st2common.platform import Platform
from st2common.store.workflows import StoredWorkflow
from st2common.workflows import chain, commands, events
from st2common.workflows.chain import Step as ChainStep
from st2common.workflows.errors import ChainError, DefinitionError
from st2common.workflows.spec import parse_cached

_CACHED = 200
_TRIES = 20
_LOCKS = 256

ORQUESTA, CHAIN = "orquesta", "action-chain"


class Steps:
    """Takes steps of workflow runs; keeps recent runs in memory, which saves loading them while nobody else steps them.

    A run in memory is only touched by who holds its lock. It is dropped whenever something went wrong on the way: what is stored
    counts. Another engine may have stepped it meanwhile; a step that would change nothing is therefore checked against the store.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.children = Children(platform)
        self._cache: OrderedDict[ObjectId, OrquestaRun | ChainDriver] = OrderedDict()
        self._locks = [threading.RLock() for _ in range(_LOCKS)]
        self._guard = threading.Lock()

    # -- loading -----------------------------------------------------------------------------------------------------

    def lock(self, id: ObjectId) -> threading.RLock:
        """One step of a run at a time in this process."""
        return self._locks[hash(id) % _LOCKS]

    def load(self, id: ObjectId, *, anew: bool = False) -> OrquestaRun | ChainDriver | None:
        """The run with that id, from memory (``anew``: not), or from the database; what its last step left undone is done first.

        Hold the run's lock.
        """
        with self._guard:
            kept = self._cache.pop(id, None)
            if kept is not None and not anew:
                self._cache[id] = kept
                return kept
        workflow = self._platform.store.workflows.get(id)
        if workflow is None:
            return None
        run = self._make(workflow)
        run.resume_from_store()
        self._finish_outstanding(run)
        self._keep(run)
        return run

    def _forget(self, id: ObjectId) -> None:
        with self._guard:
            self._cache.pop(id, None)

    @contextmanager
    def _forgotten_on_error(self, id: ObjectId) -> Iterator[None]:
        """A run that was half-way through a step when something broke is not what is stored: it leaves the memory."""
        try:
            yield
        except BaseException:
            self._forget(id)
            raise

    def _make(self, workflow: StoredWorkflow) -> OrquestaRun | ChainDriver:
        text = str(self._platform.store.snapshots.get(workflow.definition).get("text", ""))
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
            self._settle_orquesta(run, run.outstanding())
        elif run.workflow.todo:
            step = _chain_step(run.workflow.todo[0], run.definition)
            if not run.is_done(step):
                self._settle_chain(run, step)

    # -- stepping ----------------------------------------------------------------------------------------------------

    def create(self, run: OrquestaRun | ChainDriver, decided: list[Any]) -> None:
        """Store a new run with its first step and carry that out. Nothing happens when it exists (the message came twice)."""
        id = run.workflow.id
        with self.lock(id), self._forgotten_on_error(id):
            if isinstance(run, OrquestaRun):
                run.workflow.parts = {name: part for name, part in run.changed_parts().items() if part is not None}
            else:
                run.workflow.todo, run.workflow.parts = [_stored(step) for step in decided], run.state()
            if not self._platform.store.workflows.create(run.workflow):
                return
            self._keep(run)
            if isinstance(run, OrquestaRun):
                run.mark_saved()
                self._settle_orquesta(run, decided)
            else:
                self._settle_chain(run, decided[0])

    def orquesta(self, id: ObjectId, happened: Callable[[OrquestaRun], Iterable[events.Event]]) -> bool:
        """Take one step with the events that ``happened`` finds for the run as it stands. False when nothing changed."""
        with self.lock(id), self._forgotten_on_error(id):
            for attempt in range(_TRIES):
                run = self.load(id, anew=attempt > 0)
                if not isinstance(run, OrquestaRun):
                    return False
                decided = run.advance(happened(run))
                changed = run.changed_parts()
                if not changed and not decided:
                    if attempt or self._is_current(run):
                        return False
                elif self._save(run, [], changed):
                    run.mark_saved()
                    self._settle_orquesta(run, decided)
                    return True
        raise Unavailable(f"workflow {id}: other engines were faster {_TRIES} times")

    def chain(self, id: ObjectId, happened: Callable[[ChainDriver], ChainStep | None]) -> bool:
        """The same for a chain."""
        with self.lock(id), self._forgotten_on_error(id):
            for attempt in range(_TRIES):
                driver = self.load(id, anew=attempt > 0)
                if not isinstance(driver, ChainDriver):
                    return False
                step = happened(driver)
                if step is None:
                    if attempt or self._is_current(driver):
                        return False
                    continue
                if isinstance(step, chain.RunTask):
                    driver.next_number()
                if not isinstance(step, chain.Wait):
                    driver.workflow.status = _chain_status(step)
                if self._save(driver, [step], driver.state()):
                    self._settle_chain(driver, step)
                    return True
        raise Unavailable(f"workflow {id}: other engines were faster {_TRIES} times")

    def fail(self, id: ObjectId, reason: str) -> None:
        """End a run that cannot go on, whatever stands in its state."""
        with self.lock(id):
            self._forget(id)
            workflow = self._platform.store.workflows.get(id)
            if workflow is None:
                return
            if workflow.status not in states.FINAL:
                changed: dict[str, Any] = {}
                if workflow.kind == ORQUESTA:
                    changed["core"] = workflow.parts["core"] | {"status": states.FAILED, "finished": True}
                workflow.status, workflow.todo = states.FAILED, []
                if not self._platform.store.workflows.save(workflow, changed):
                    return  # another engine goes on with it
            if workflow.kind == ORQUESTA:
                result: dict[str, Any] = {"output": None, "errors": [{"type": "error", "message": reason}]}
            else:
                result = {"error": reason, "traceback": ""}
            finish(self._platform, workflow.execution_id, states.FAILED, result)

    def _is_current(self, run: OrquestaRun | ChainDriver) -> bool:
        return self._platform.store.workflows.revision(run.workflow.id) == run.workflow.rev

    def _save(self, run: OrquestaRun | ChainDriver, todo: list[ChainStep], parts: dict[str, Any]) -> bool:
        run.workflow.todo = [_stored(item) for item in todo]
        return self._platform.store.workflows.save(run.workflow, parts)

    def _settle_orquesta(self, run: OrquestaRun, decided: Sequence[commands.Command]) -> None:
        """Carry out commands; requests that were refused are events of a further step."""
        while True:
            more = run.carry_out(decided)
            if not more:
                return
            decided = run.advance(more)
            if not self._save(run, [], run.changed_parts()):
                self.load(run.workflow.id, anew=True)  # somebody else stepped it: what is still to be done follows from the state
                return
            run.mark_saved()

    def _settle_chain(self, driver: ChainDriver, step: ChainStep) -> None:
        while True:
            more = driver.carry_out(step)
            driver.workflow.todo = []
            if more is None:
                return
            step = more
            if isinstance(step, chain.RunTask):
                driver.next_number()
            driver.workflow.status = _chain_status(step)
            if not self._save(driver, [step], driver.state()):
                self.load(driver.workflow.id, anew=True)
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


def _stored(item: ChainStep) -> dict[str, Any]:
    """A chain step as JSON data."""
    if isinstance(item, chain.RunTask):
        return {"kind": "RunTask", "name": item.name, "ref": item.ref, "parameters": item.parameters}
    return {"kind": type(item).__name__, **orjson.loads(orjson.dumps(asdict(item), default=str, option=orjson.OPT_NON_STR_KEYS))}


def _chain_step(data: dict[str, Any], definition: chain.ChainSpec) -> ChainStep:
    values = {key: value for key, value in data.items() if key != "kind"}
    if data["kind"] == "RunTask":
        node = definition.node(values["name"])
        if node is None:
            raise ChainError(f"the chain has no task {values['name']}")
        values["node"] = node
    made: ChainStep = _STEPS[data["kind"]](**values)
    return made


def _chain_status(step: ChainStep) -> str:
    if isinstance(step, chain.ChainFinished):
        return step.status
    return "paused" if isinstance(step, chain.ChainPaused) else "running"
