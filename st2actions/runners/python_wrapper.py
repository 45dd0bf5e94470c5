"""What happens inside the process of a Python action (runners.md section 5): paths, arguments, the class, ``run``, the result.

The process is either a fork of a warm parent (``python_parent``) or a fresh interpreter; both come here with the same request.
Only the standard library, orjson and the porch are imported: whatever is loaded here hides modules of the same name in packs.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import struct
import sys
import sysconfig
import time
import traceback
from types import ModuleType
from typing import Any, NoReturn

import orjson

from st2common.datastore_client import DatastoreClient
from st2common.log import getLogger
from st2common.runners.action_service import ActionService
from st2common.runners.base_action import Action
from st2common.runners.utils import set_action_log_level

LOG = getLogger(__name__)

STATUS_ERROR_EXIT_CODE = 220
FRAME = struct.Struct("<cQ")
"""Head of a frame on the result pipe: kind and length. Kinds: J (a JSON result block), T (a result block as Python text), X (the exit
code about to be used, as decimal text)."""
_SITE_PACKAGES = sysconfig.get_paths()["purelib"]
LONGEST_ARGUMENT = 131057
"""From so many characters on parameters do not fit an argument and are said to come by stdin."""


class PackConfig(dict[str, Any]):
    """The pack's configuration; asking for a missing key tells what to do."""

    def __init__(self, pack: str, values: dict[str, Any]) -> None:
        super().__init__(values)
        self._pack = pack

    def __missing__(self, key: str) -> Any:
        raise ValueError(
            f'Config for pack "{self._pack}" is missing key "{key}".\n'
            f"Make sure that the config file exists on disk (configs/{self._pack}.yaml below the base path) and contains that key.\n"
            "If it does, register it: st2ctl reload --register-configs"
        )


def run_action(request: dict[str, Any], result_fd: int) -> NoReturn:
    """Run the action of ``request`` and write its result; always ends by SystemExit (or by another exit or interrupt of the action's).

    Args:
        request: ``pack, file_path, user, parameters, config, log_level, parent_args, pythonpath``.
        result_fd: where result frames go.
    """
    sys.argv = arguments(request)
    sys.path[:] = module_path(request["pythonpath"], sys.path, os.path.dirname(request["file_path"]))
    set_action_log_level(request["log_level"])
    code = 1
    try:
        code = _run(request, result_fd)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        raise
    except Exception as error:  # noqa: BLE001 - whatever the action raised is shown to its author
        sys.excepthook(type(error), error, _own_frames(error))
    finally:
        write_frame(result_fd, b"X", b"%d" % code)
    sys.exit(code)


def arguments(request: dict[str, Any]) -> list[str]:
    """``sys.argv`` of the action: the command line of a wrapper script."""
    parameters = json.dumps(request["parameters"], default=str)
    argv = [
        __file__,
        f"--pack={request['pack']}",
        f"--file-path={request['file_path']}",
        f"--user={request['user']}",
        f"--parent-args={json.dumps(request['parent_args'])}",
        "--stdin-parameters" if len(parameters) >= LONGEST_ARGUMENT else f"--parameters={parameters}",
    ]
    if request["config"]:
        argv.append(f"--config={json.dumps(request['config'], default=str)}")
    if request["log_level"] != "DEBUG":
        argv.append(f"--log-level={request['log_level']}")
    return argv


def module_path(pythonpath: list[str], interpreters: list[str], entry_directory: str) -> list[str]:
    """``sys.path`` of the action: the interpreter's site-packages, ``PYTHONPATH``, the interpreter's own, the entry point's directory."""
    candidates = [_SITE_PACKAGES, *pythonpath, *interpreters, entry_directory]
    return list(dict.fromkeys(path for path in candidates if path))


def _run(request: dict[str, Any], result_fd: int) -> int:
    action = _action(request)
    output = action.run(**request["parameters"])
    if not (isinstance(output, tuple) and len(output) == 2):
        write_frame(result_fd, *_result_block(output))
        return 0
    status, result = output
    if status not in (True, False, None):
        sys.stderr.write(f"Status returned from the action run() method must either be True or False, got: {status}\n")
        sys.stderr.write("Did you intend to return a tuple (status, result)? To return a tuple as the result, return a list.\n")
        return STATUS_ERROR_EXIT_CODE
    try:
        block = orjson.dumps({"result": result, "status": status})
    except TypeError:
        block = orjson.dumps({"result": str(result), "status": status})
    write_frame(result_fd, b"J", block)
    return 0


def _result_block(result: Any) -> tuple[bytes, bytes]:
    block = {"result": result, "status": None}
    try:
        return b"J", orjson.dumps(block)
    except TypeError:
        return b"T", str(block).encode("utf-8", "replace")


def write_frame(fd: int, kind: bytes, data: bytes) -> None:
    """Write one frame to the result pipe."""
    rest = memoryview(FRAME.pack(kind, len(data)) + data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _action(request: dict[str, Any]) -> Any:
    """The action object, made from the first suitable class of the entry point."""
    pack, path = request["pack"], request["file_path"]
    action_class = _first_suitable(_load(path), path)
    environment = os.environ
    datastore = DatastoreClient(
        pack,
        action_class.__name__,
        environment.get("ST2_ACTION_API_URL", ""),
        environment.get("ST2_ACTION_AUTH_TOKEN", ""),
        getLogger(f"st2.actions.python.{action_class.__name__}"),
    )
    service = ActionService(datastore)
    config = PackConfig(pack, request["config"])
    if _takes(action_class, "action_service"):
        return action_class(config=config, action_service=service)
    action = action_class(config=config)
    action.action_service = service
    return action


def _takes(action_class: type, name: str) -> bool:
    parameters = inspect.signature(action_class.__init__).parameters  # type: ignore[misc]
    return name in parameters or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def _load(path: str) -> ModuleType:
    """The entry point as a module named after its file."""
    name = os.path.splitext(os.path.basename(path))[0]
    if not os.path.isfile(path):
        raise FileNotFoundError(f'Failed to load action class from file "{path}" (action file most likely does not exist)')
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f'Failed to load action class from file "{path}": not a Python file')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _first_suitable(module: ModuleType, path: str) -> type:
    """The first class by name that the module itself defines and that can be an action; complaints about others go to stderr."""
    found: type | None = None
    for name, member in sorted(vars(module).items()):
        if not (inspect.isclass(member) and member.__module__ == module.__name__):
            continue
        reason = _unsuitable(name, member)
        if reason is not None:
            _complain(reason)
        elif found is None:
            found = member
    if found is None:
        raise ImportError(
            f'File "{path}" has no action class or the file has errors: it must define a class which derives from '
            "st2common.runners.base_action.Action and has a run method."
        )
    return found


def _unsuitable(name: str, candidate: type) -> str | None:
    run = getattr(candidate, "run", None)
    if run is None or getattr(run, "__isabstractmethod__", False):
        return f'Class "{name}" doesn\'t implement required "run" method from the base class'
    if not issubclass(candidate, Action):
        return f'Class "{name}" doesn\'t derive from "Action"'
    return None


def _complain(reason: str) -> None:
    try:
        raise NotImplementedError(reason)
    except NotImplementedError:
        sys.stderr.write(f"{reason}\n{traceback.format_exc()}")


def _own_frames(error: BaseException) -> Any:
    """The traceback without the frames that lead here from the start of the process."""
    frames = error.__traceback__
    return frames.tb_next if frames is not None and frames.tb_next is not None else frames


def take_environment(environment: dict[str, str]) -> None:
    """Make ``environment`` the whole environment of this process."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()


def main(request_fd: int, result_fd: int) -> None:
    """Entry of a fresh interpreter: the environment is in place already, so is everything the interpreter made of it."""
    with os.fdopen(request_fd, "rb") as file:
        file.seek(0)
        request = orjson.loads(file.read())
    os.set_inheritable(result_fd, False)
    sys.path[:] = [path for path in sys.path if path and path not in request["pythonpath"]]
    run_action(request, result_fd)
