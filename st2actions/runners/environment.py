"""Environment variables that the platform gives to action processes (runners.md section 1)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from st2common.runners.contract import Job


def st2_variables(job: Job) -> dict[str, str]:
    """The ``ST2_ACTION_*`` variables of ``job``."""
    return {
        "ST2_ACTION_PACK_NAME": job.action["pack"],
        "ST2_ACTION_EXECUTION_ID": job.execution_id,
        "ST2_ACTION_API_URL": job.settings.api_url,
        "ST2_ACTION_DEBUG": str(bool(job.runner_parameters.get("debug"))),
        "ST2_ACTION_AUTH_TOKEN": job.token(),
    }


def user_variables(job: Job) -> dict[str, str]:
    """The variables of the runner parameter ``env``.

    Raises:
        TypeError: a name or value is not text, e.g. ``expected str, bytes or os.PathLike object, not int``.
    """
    variables: Mapping[str, Any] = job.runner_parameters.get("env") or {}
    for name, value in variables.items():
        os.fsencode(name)
        os.fsencode(value)
    return dict(variables)


def process_environment(job: Job) -> dict[str, str]:
    """The whole environment of a local process: inherited, then the user's, then ``ST2_*``."""
    return {**os.environ, **user_variables(job), **st2_variables(job)}
