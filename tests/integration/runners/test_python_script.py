"""Python actions with real interpreters. Outcomes: runners.md sections 5.3 and 5.4."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jobs import Output, a_job, gone, write

from st2actions.runners.python_script import DELIMITER, PythonScriptRunner
from st2common.exceptions import RunnerFailed
from st2common.interpreters import NoVirtualenv

HEAD = "import atexit, os, sys, time, random\nfrom st2common.runners.base_action import Action\n"


@pytest.fixture(scope="module")
def runner():
    runner = PythonScriptRunner()
    yield runner
    runner.close()


@pytest.fixture
def run(runner, tmp_path):
    def run(body: str, *, pack="core", source=None, parameters=None, job=False, declared=None, **more):
        text = HEAD + (source or "class Act(Action):\n    def run(self, **kw):\n" + textwrap.indent(textwrap.dedent(body), " " * 8))
        write(tmp_path / "actions" / "act.py", text)
        action = {"name": "act", "pack": pack, "entry_point": "act.py", "parameters": declared or {}}
        made = a_job("python-script", action=action, parameters=parameters or {}, pack_path=str(tmp_path), **more)
        return made if job else runner.run(made)

    return run


def done(code, result, stdout="", stderr=""):
    return {"stdout": stdout, "stderr": stderr, "exit_code": code, "result": result}


@pytest.mark.parametrize(
    ("body", "status", "result"),
    [
        ("return {'a': [1, None, 1.5]}", "succeeded", done(0, {"a": [1, None, 1.5]})),
        ("return None", "succeeded", done(0, None)),
        ("return (True, 1)", "succeeded", done(0, 1)),
        ("return (False, None)", "failed", done(0, None)),
        ("return (None, 'x')", "succeeded", done(0, "x")),
        ("return (True, 1, 2)", "succeeded", done(0, [True, 1, 2])),
        ("return [False, 2]", "succeeded", done(0, [False, 2])),
        ("return '{\"x\": 1}'", "succeeded", done(0, '{"x": 1}')),
        ("return {1: 'one'}", "succeeded", done(0, "{1: 'one'}, 'status': None}")),
        ("return {1}", "succeeded", done(0, "{1}, 'status': None}")),
        ("return (True, {1})", "succeeded", done(0, "{1}")),
        ("return 2 ** 70", "succeeded", done(0, "1180591620717411303424, 'status': None}")),
        ("return float('nan')", "succeeded", done(0, None)),
        ("sys.exit(0)", "succeeded", done(0, "None")),
        ("sys.exit()", "succeeded", done(0, "None")),
        ("sys.exit(3)", "failed", done(3, "None")),
        ("sys.exit('bye')", "failed", done(1, "None", stderr="bye\n")),
        ("print('x', end=''); os._exit(7)", "failed", done(7, "None", stdout="x")),
        ("os.kill(os.getpid(), 15); time.sleep(5)", "failed", done(-15, "None")),
        ("os.kill(os.getpid(), 9)", "timeout", {**done(-9, "None"), "error": "Action failed to complete in 600 seconds"}),
        ("atexit.register(print, 'after'); print('before', end=''); return 1", "succeeded", done(0, 1, stdout="beforeafter\n")),
        ("atexit.register(os._exit, 4); return 1", "failed", done(4, 1)),
        ("return sys.stdin.read()", "succeeded", done(0, "")),
        (f'print(\'{DELIMITER}{{"result": 5, "status": false}}{DELIMITER}rest\'); os._exit(0)', "failed", done(0, 5, stdout="rest\n")),
    ],
)
def test_action__ends__status_and_result(run, body, status, result):
    outcome = run(body)
    assert (outcome.status, outcome.result) == (status, result)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("return ('yes', 1)", "^Status returned from the action run\\(\\) method must either be True or False, got: yes"),
        ("sys.stderr.write('gone'); sys.stderr.flush(); os._exit(220)", "^gone$"),
    ],
)
def test_exit_code_220__is_an_error_with_the_text_of_stderr(run, body, text):
    with pytest.raises(RunnerFailed, match=text):
        run(body)


def test_delimiter__written_once_by_the_action__is_an_error(run):
    with pytest.raises(ValueError, match=r"^The result length should be 3, was 4\.$"):
        run(f"print('{DELIMITER}'); return 1")


def test_exception__traceback_in_stderr(run):
    outcome = run("print('x'); raise ValueError('it broke')")
    assert (outcome.status, outcome.result["result"], outcome.result["exit_code"], outcome.result["stdout"]) == ("failed", "None", 1, "x\n")
    assert outcome.result["stderr"].startswith("Traceback (most recent call last):\n")
    assert outcome.result["stderr"].endswith("ValueError: it broke\n")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("VALUE = 1\n", "act.py"),
        ("def run(:\n", "SyntaxError: "),
        ("import no_such_module_xyz\n", "ModuleNotFoundError: No module named 'no_such_module_xyz'"),
        ("class Act(Action):\n    pass\n", 'Class "Act" doesn\'t implement required "run" method from the base class'),
    ],
)
def test_entry_point__useless__fails_with_traceback(run, source, text):
    outcome = run("", source=source)
    assert (outcome.status, outcome.result["exit_code"], outcome.result["result"]) == ("failed", 1, "None")
    assert "Traceback (most recent call last):\n" in outcome.result["stderr"]
    assert text in outcome.result["stderr"]


def test_classes__several__first_suitable_by_name(run):
    source = """
class Mid(Action):
    def run(self):
        return "mid"
class Bare: pass
class Zed(Mid):
    def run(self):
        return "zed"
"""
    outcome = run("", source=source)
    assert (outcome.status, outcome.result["result"]) == ("succeeded", "mid")
    assert 'Class "Bare" doesn\'t implement required "run" method from the base class' in outcome.result["stderr"]


def test_old_constructor__gets_the_service_afterwards(run):
    source = """
class Act(Action):
    def __init__(self, config):
        super(Act, self).__init__(config)
    def run(self):
        return [self.action_service is not None, dict(self.config)]
"""
    assert run("", source=source, config=lambda: {"k": "v"}).result["result"] == [True, {"k": "v"}]


def test_config__missing_key__says_what_to_do(run):
    outcome = run("return [self.config.get('a', 5), self.config['absent']]")
    assert 'ValueError: Config for pack "core" is missing key "absent".' in outcome.result["stderr"]


def test_parameters__declared_ones__all_passed_runner_ones_not(run):
    outcome = run("return kw", declared={"a": {}, "b": {}, "timeout": {}}, parameters={"a": "ü\n" + "x" * 200_000})
    assert outcome.result["result"] == {"a": "ü\n" + "x" * 200_000, "b": None}


def test_process__argv_environment_and_paths(run, tmp_path):
    write(tmp_path / "actions" / "lib" / "own_lib.py", "X = 1")
    write(tmp_path / "actions" / "sibling.py", "Y = 2")
    body = """
        import own_lib, sibling
        return [sys.argv[1:], dict(os.environ), os.getsid(0) == os.getpid(), own_lib.X + sibling.Y, sorted(os.listdir('/proc/self/fd'))]
    """
    outcome = run(
        body, runner={"env": {"FOO": "1", "PythonPath": "/nowhere"}, "log_level": "INFO"}, config=lambda: {"k": 1}, user="bob", parameters={"p": 1}
    )
    argv, environment, leads_session, number, descriptors = outcome.result["result"]
    assert argv == [
        "--pack=core",
        f"--file-path={tmp_path}/actions/act.py",
        "--user=bob",
        "--parent-args=[]",
        '--parameters={"p": 1}',
        '--config={"k": 1}',
        "--log-level=INFO",
    ]
    assert environment["FOO"] == "1" and "PythonPath" not in environment
    assert environment["PYTHONPATH"].startswith(f"{tmp_path}/actions/lib")
    assert {name for name in environment if name.startswith("ST2_")} == {
        f"ST2_ACTION_{name}" for name in ("API_URL", "AUTH_TOKEN", "DEBUG", "EXECUTION_ID", "PACK_NAME")
    }
    assert leads_session and number == 3
    assert len(descriptors) == 5  # the standard three, the result pipe, and the listing itself


def test_environment__of_one_action__is_not_seen_by_the_next(run):
    run("os.environ['LEFT'] = '1'; sys.path.append('/left'); return 1", runner={"env": {"MINE": "1"}})
    assert run("return [os.environ.get('LEFT'), os.environ.get('MINE'), '/left' in sys.path]").result["result"] == [None, None, False]


def test_random__differs_between_actions(run):
    assert run("return random.random()").result["result"] != run("return random.random()").result["result"]


def test_interpreter_variables__get_a_fresh_interpreter(run):
    outcome = run(
        "print('out'); return [sys.flags.dev_mode, os.environ['PYTHONDEVMODE'], kw]", runner={"env": {"PYTHONDEVMODE": "1"}}, parameters={"p": 2}
    )
    assert outcome.result["result"] == [True, "1", {"p": 2}]
    assert outcome.result["stdout"] == "out\n"


def test_logger__level_and_format(run):
    body = "self.logger.info('i'); self.logger.warning('w'); self.logger.audit('a')"
    lines = [f"st2.actions.python.Act: {name:8} {text}\n" for name, text in (("INFO", "i"), ("WARNING", "w"), ("AUDIT", "a"))]
    assert run(body).result["stderr"] == "".join(lines)
    assert run(body, runner={"log_level": "WARNING"}).result["stderr"] == "".join(lines[1:])


def test_output__streamed_by_line__partial_line_before_the_result_is_lost(run, runner):
    output = Output()
    outcome = run("print('a'); print('b', file=sys.stderr); sys.stdout.write('c'); return 1", output=output)
    assert outcome.result["stdout"] == "a\nc"
    assert (output.text("stdout"), output.text("stderr")) == ("a\n", "b\n")
    failing = Output()
    run("sys.stdout.write('c'); sys.exit(1)", output=failing)
    assert failing.text("stdout") == "c"


def test_end__threads_joined_exit_functions_run_files_flushed(run, tmp_path):
    source = """
import tempfile, threading
HELD = open({path!r} + "/held", "w")
TEMPORARY = tempfile.NamedTemporaryFile(dir={path!r}, prefix="temporary")
def late():
    time.sleep(0.3)
    print("thread")
class Act(Action):
    def run(self):
        class Cycle:
            def __del__(self):
                print("finaliser")
        HELD.write("kept")
        cycle = Cycle()
        cycle.itself = cycle
        self.file = open({path!r} + "/own", "w")
        self.file.write("too")
        threading.Thread(target=late).start()
        atexit.register(print, "exit function")
        return 1
""".format(path=str(tmp_path))
    outcome = run("", source=source)
    assert outcome.result == done(0, 1, stdout="thread\nexit function\nfinaliser\n")
    assert ((tmp_path / "held").read_text(), (tmp_path / "own").read_text()) == ("kept", "too")
    assert not list(tmp_path.glob("temporary*"))


@pytest.mark.parametrize("body", ["import ctypes", "import yaml._yaml", "import sqlite3, zlib, ssl", "import multiprocessing"])
def test_end__native_modules__exit_code_and_output_are_whole(run, body):
    outcome = run(f"{body}\nprint('x' * 100_000)\nsys.exit(5)")
    assert (outcome.result["exit_code"], len(outcome.result["stdout"]), outcome.result["stderr"]) == (5, 100_001, "")


def test_result__large__arrives_whole(run):
    assert run("return 'x' * 3_000_000").result["result"] == "x" * 3_000_000


def test_time_limit__session_is_killed_output_kept(run, tmp_path):
    body = """
        import subprocess
        print(subprocess.Popen(['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done']).pid)
        time.sleep(60)
    """
    outcome = run(body, runner={"timeout": 1})
    assert outcome.status == "timeout"
    assert outcome.result["error"] == "Action failed to complete in 1 seconds"
    assert (outcome.result["exit_code"], outcome.result["result"]) == (-9, "None")
    assert gone(int(outcome.result["stdout"]))


def test_cancel__ends_the_action(run, runner):
    output = Output()
    job = run("print(os.getpid()); time.sleep(60)", output=output, job=True)
    canceller = threading.Thread(target=lambda: (output.seen.wait(20), job.cancel()))
    canceller.start()
    runner.run(job)
    canceller.join()
    assert gone(int(output.text()))


def test_parent__killed_while_an_action_runs__action_goes_on_and_is_told(run, tmp_path):
    runner = PythonScriptRunner()
    output = Output()
    body = "print(os.getppid()); sys.stdout.flush(); time.sleep(0.5); print('still here'); return 5"
    job = run(body, output=output, job=True)

    def kill_parent():
        output.seen.wait(20)
        os.kill(int(output.text().split()[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_parent)
    killer.start()
    outcome = runner.run(job)
    killer.join()
    assert (outcome.status, outcome.result["exit_code"], outcome.result["result"]) == ("succeeded", 0, 5)
    assert outcome.result["stdout"].endswith("still here\n")
    again = runner.run(run("return 6", job=True))
    assert again.result["result"] == 6
    runner.close()


def test_parent__killed__action_of_unknown_end_is_abandoned(run):
    runner = PythonScriptRunner()
    outcome = runner.run(run("print('x'); sys.stdout.flush(); os.kill(os.getppid(), 9); time.sleep(0.3); os._exit(3)", job=True))
    assert (outcome.status, outcome.result["exit_code"], outcome.result["stdout"]) == ("abandoned", None, "x\n")
    assert "ended unexpectedly" in outcome.result["error"]
    runner.close()


def test_parent__idle__ends_and_the_next_action_starts_another(run):
    runner = PythonScriptRunner()
    settings = {"python_parent_idle_s": 0.2}
    first = runner.run(run("return os.getppid()", job=True, settings=settings)).result["result"]
    assert gone(first)
    assert runner.run(run("return os.getppid()", job=True, settings=settings)).result["result"] != first
    runner.close()


def test_many_threads__every_action_gets_its_own_result(run, runner):
    job = run("time.sleep(0.05); print(kw['n']); return kw['n']", declared={"n": {}}, job=True)

    def one(n):
        mine = a_job("python-script", action=job.action, parameters={"n": n}, pack_path=job.pack_path)
        return runner.run(mine).result

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(60))) == [done(0, n, stdout=f"{n}\n") for n in range(60)]


def test_descriptors__after_many_runs__none_leaked(run, runner):
    run("return 1")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run("return 1")
    assert len(os.listdir("/proc/self/fd")) == before


def a_virtualenv(path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True)
    return path


def test_virtualenv__of_the_pack__is_used_and_watched(run, tmp_path):
    virtualenv = a_virtualenv(tmp_path / "venvs" / "mine")
    runner = PythonScriptRunner()
    site = next(virtualenv.glob("lib/python3*/site-packages"))
    write(site / "third_party.py", "V = 1")
    settings = {"virtualenvs_path": str(tmp_path / "venvs")}
    body = "import third_party; return [sys.prefix, third_party.V, os.environ['PATH'].split(':')[0], os.getppid()]"
    prefix, value, path, first = runner.run(run(body, pack="mine", job=True, settings=settings)).result["result"]
    assert (prefix, value, path) == (str(virtualenv), 1, f"{virtualenv}/bin/")
    write(site / "another.py", "V = 1")
    assert runner.run(run(body, pack="mine", job=True, settings=settings)).result["result"][3] != first
    runner.close()


def test_virtualenv__missing__only_packs_with_requirements_fail(run, tmp_path):
    settings = {"virtualenvs_path": str(tmp_path / "venvs")}
    write(tmp_path / "requirements.txt", "# nothing\n\n")
    assert run("return 1", pack="mine", settings=settings).status == "succeeded"
    write(tmp_path / "requirements.txt", "six\n")
    with pytest.raises(NoVirtualenv, match=r'virtual environment ".*/venvs/mine".*st2 pack install.*st2 run packs.setup_virtualenv packs=mine'):
        run("return 1", pack="mine", settings=settings)


def test_interpreter__broken__says_so(run, tmp_path):
    write(tmp_path / "venvs" / "mine" / "bin" / "python", "#!/bin/sh\necho no such luck >&2\nexit 3\n", 0o755)
    with pytest.raises(RunnerFailed, match=r"does not start \(exit code 3\): no such luck"):
        run("return 1", pack="mine", settings={"virtualenvs_path": str(tmp_path / "venvs")})


WORKER = """
import sys
sys.path[:0] = {path!r}
from jobs import a_job
from st2actions.runners.python_script import PythonScriptRunner
def show(kind, text):
    print(text, flush=True)
PythonScriptRunner().run(a_job("python-script", action={{"entry_point": "act.py"}}, pack_path={pack!r}, output=show))
"""


def test_worker__killed__its_actions_end_with_it(tmp_path):
    write(tmp_path / "actions" / "act.py", HEAD + "class Act(Action):\n    def run(self):\n        print(os.getpid(), flush=True); time.sleep(60)\n")
    code = WORKER.format(path=[str(Path(__file__).parent), str(Path(__file__).parents[3])], pack=str(tmp_path))
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(worker.stdout.readline())
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert gone(pid)
