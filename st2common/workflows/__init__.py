"""Workflows: the Orquesta language and its conductor, and action chains. A pure room: no database, no bus, no clock, no configuration.

Where to look
-------------
=================  =====================================================================================================
``source, spec``   text to model: ``parse(text) -> WorkflowSpec`` (``parse_cached`` shares models of equal texts)
``inline``         ``core.local cmd="date"`` and ``x=1 y=<% ... %>``
``graph``          transitions, starts, cycles, splits, joins
``inspection``     ``inspect(spec, actions, known) -> list[Finding]``; helped by ``schema`` (syntax) and ``variables`` (context)
``conductor``      ``Conductor``: events in, commands out
``events``         all that can happen to a workflow
``commands``       all that a conductor can want
``transitions``    the table: status + event -> status
``starting``       staged tasks to runs and requests; ``items`` (with-items), ``rendering`` (expressions to values)
``following``      a run that ended to what it leads to; ``joins`` (when a join may run, when it never will)
``rerun``          going on with a completed workflow
``results``        what expressions see of earlier runs; the readers that the caller hands in
``state``          what is remembered, part by part; ``contexts`` (variables, stored once and shared)
``chain``          action chains
=================  =====================================================================================================

The conductor in one minute
---------------------------
A *run* is one execution of a task on a *route*; it has a number, and every later event names that number. A task may have many runs: splits
(a route each), cycles, retries, reruns. A task that was reached but has not started is *staged*; a staged join is ready when its branches have
arrived. What a run sees of the variables is its *context*, a node that adds a few values to its parents.

    conductor = Conductor.start(spec, inputs, context, workflow_id, means)     # a new workflow run
    conductor = Conductor.load(spec, parts, means)                             # the same run, later, elsewhere
    commands = conductor.handle([events...])                                   # the only thing that changes it
    parts = conductor.dirty_parts()                                            # save these, then
    conductor.mark_saved()                                                     # carry out the commands, in order

Events (``events``): ``Started`` once; ``ActionChanged(run, status, result, item)`` whenever the execution of a task or item has a new status;
``RequestFailed(run, message, unrequested, item)`` when an action could not be requested; ``PauseRequested``, ``ResumeRequested``,
``CancelRequested``, ``RerunRequested(tasks, reset)`` from people; ``Failed(message)`` from a sweeper. Events about runs that already ended change
nothing, so a batch may be delivered twice. Events of a batch are handled one after the other.

Commands (``commands``): ``StartTask`` (make the task's record, request its actions), ``StartItems`` (request further items), ``TaskChanged``
(update the task's record), ``Cascade`` (pass a pause, resume or cancel down to sub-workflows), ``SetStatus`` (status to show, not final),
``Finish`` (final status, output, errors; once, and once more after each rerun). A ``StartTask`` may come with a ``Finish`` of a failed workflow:
the tasks beside ``do: fail`` still run. If an action cannot be requested, stop requesting, and hand in ``RequestFailed`` with the runs of the
``StartTask`` commands that were skipped; the commands of other kinds still count.

Results are not stored in the state. They come with ``ActionChanged``, or, where they were left out (``UNREAD``), from the ``ResultReader`` in
``Means`` at the moment an expression (``result()``, ``task()``) or an error entry asks for them. ``Means.datastore`` reads for ``st2kv()``.

The state is a set of named parts: ``core``, ``staged``, ``run.<n>``, ``items.<n>.<chunk>``, ``todo.<n>``, ``error.<n>``, ``context.<n>``,
``value.<hash>``.
``dirty_parts`` gives the changed ones (None: delete it), ``dump`` all. Parts are JSON data with arbitrary keys inside (encode them where keys with
dots or dollars are not allowed). A part ``context`` or ``value`` never changes once written; a variable of more than 4 kB is a ``value`` of its own,
so passing it on, or publishing it again, stores nothing.

After a crash between saving and carrying out, ``outstanding()`` gives from the state alone what must be there by now: skip what exists. Key an
execution by (workflow, run, item). ``is_stuck`` tells a workflow that would hang.

Statuses are those of executions. ``conductor.status`` is the engine's own; ``shown_status`` is the one to show: a workflow that is pausing only
because a task is pending is shown ``running`` until it is ``paused``.
"""

from st2common.workflows.conductor import Conductor
from st2common.workflows.errors import ChainError, DefinitionError, RequestRefused, RerunRefused
from st2common.workflows.inspection import Finding, inspect, inspect_text
from st2common.workflows.results import Means, ResultReader
from st2common.workflows.spec import WorkflowSpec, parse, parse_cached
from st2common.workflows.variables import KNOWN, KNOWN_AT_RUN_TIME

__all__ = [
    "KNOWN",
    "KNOWN_AT_RUN_TIME",
    "ChainError",
    "Conductor",
    "DefinitionError",
    "Finding",
    "Means",
    "RequestRefused",
    "RerunRefused",
    "ResultReader",
    "WorkflowSpec",
    "inspect",
    "inspect_text",
    "parse",
    "parse_cached",
]
