"""Shell runners with real processes. Statuses and results: runners.md section 2."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time

import pytest
from jobs import Output, a_job, gone, write

from st2actions.runners.local_shell import LocalShellCommandRunner, LocalShellScriptRunner, shell_command
from st2common.exceptions import RunnerFailed


def run(cmd: str, **parameters):
    job = a_job("local-shell-cmd", runner={"cmd": cmd, **parameters})
    return LocalShellCommandRunner().run(job)


def done(code: int, stdout, stderr, **more):
    return {"failed": code != 0, "succeeded": code == 0, "return_code": code, "stdout": stdout, "stderr": stderr, **more}


@pytest.mark.parametrize(
    ("cmd", "status", "result"),
    [
        ("echo hello", "succeeded", done(0, "hello", "")),
        ("", "succeeded", done(0, "", "")),
        ("echo out; echo err >&2; exit 3", "failed", done(3, "out", "err")),
        ("exit 143", "failed", done(143, "", "")),
        ("echo true; echo '[1]' >&2", "succeeded", done(0, True, [1])),
        ("echo 007", "succeeded", done(0, "007", "")),
        ("echo NaN", "succeeded", done(0, "NaN", "")),
        ("echo '{}'; echo '{}'", "succeeded", done(0, "{}\n{}", "")),
        ("printf 'x\\n\\n\\n'", "succeeded", done(0, "x\n\n", "")),
        ("printf 'x\\n\\r'", "succeeded", done(0, "x\n", "")),
        ("printf 'x\\r\\n'", "succeeded", done(0, "x", "")),
        ("printf 'a\\377b'", "succeeded", done(0, "a�b", "")),
        ("echo $0", "succeeded", done(0, "/bin/sh", "")),
        ("cat", "succeeded", done(0, "", "")),
        ("kill -15 $$", "abandoned", done(-15, "", "")),
        ("kill -9 $$", "timeout", done(-9, "", "", error="Action failed to complete in 60 seconds")),
        ("kill -6 $$", "failed", done(-6, "", "")),
    ],
)
def test_command__ends__status_and_result(cmd, status, result):
    outcome = run(cmd)
    assert (outcome.status, outcome.result) == (status, result)


def test_command__over_its_limit__session_is_killed_output_kept(tmp_path):
    mark = tmp_path / "mark"
    outcome = run(f"(trap '' TERM; sleep 2.5; touch {mark}) & echo part; wait", timeout=1)
    assert outcome.status == "timeout"
    assert outcome.result == done(-9, "part", "", error="Action failed to complete in 1 seconds")
    time.sleep(1.5)
    assert not mark.exists()


def test_command__ignores_term__is_killed():
    outcome = run("trap '' TERM; echo armed; while :; do sleep 0.1; done", timeout=1)
    assert (outcome.status, outcome.result["stdout"]) == ("timeout", "armed")


def test_command__descendant_in_its_own_session__is_killed_at_the_limit():
    outcome = run("setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' ; echo never", timeout=1)
    assert outcome.status == "timeout"
    assert gone(outcome.result["stdout"])


def test_background_child__holds_the_output__is_waited_for():
    outcome = run("(sleep 0.4; echo late) & echo early")
    assert outcome.result["stdout"] == "early\nlate"


def test_background_child__output_redirected__outlives_the_command(tmp_path):
    mark = tmp_path / "mark"
    assert run(f"(sleep 0.3; touch {mark}) >/dev/null 2>&1 &").status == "succeeded"
    assert not mark.exists()
    time.sleep(0.8)
    assert mark.exists()


def test_cancel__running_command__ends_at_once_with_its_session():
    output = Output()
    job = a_job("local-shell-cmd", runner={"cmd": "echo up; sleep 60 & wait"}, output=output)
    canceller = threading.Thread(target=lambda: (output.seen.wait(10), job.cancel()))
    canceller.start()
    began = time.monotonic()
    LocalShellCommandRunner().run(job)
    canceller.join()
    assert time.monotonic() - began < 30


def test_cancel__before_the_start__process_is_ended():
    job = a_job("local-shell-cmd", runner={"cmd": "sleep 60"})
    job.cancel()
    outcome = LocalShellCommandRunner().run(job)
    assert outcome.result["return_code"] < 0


def test_output__while_running__whole_lines_are_emitted():
    output = Output()
    job = a_job("local-shell-cmd", runner={"cmd": "printf 'a\\nb'; sleep 0.3; echo c >&2; sleep 0.3; printf 'd\\ne'"}, output=output)
    LocalShellCommandRunner().run(job)
    assert output.pieces == [("stdout", "a\n"), ("stderr", "c\n"), ("stdout", "bd\n"), ("stdout", "e")]


def test_output__streaming_off__nothing_is_emitted():
    output = Output()
    LocalShellCommandRunner().run(a_job("local-shell-cmd", runner={"cmd": "echo a"}, output=output, settings={"stream_output": False}))
    assert output.pieces == []


def test_output__over_the_limit__is_cut_and_says_so():
    job = a_job("local-shell-cmd", runner={"cmd": "head -c 100000 /dev/zero | tr '\\0' x"}, settings={"output_limit_bytes": 1000})
    outcome = LocalShellCommandRunner().run(job)
    assert outcome.result["stdout"] == "x" * 1000 + "\n[99000 more bytes of output are not part of the result]"


def test_environment__user_and_platform__platform_wins():
    outcome = run("echo $A $ST2_ACTION_PACK_NAME $ST2_ACTION_DEBUG ${#ST2_ACTION_AUTH_TOKEN}", env={"A": "1 2", "ST2_ACTION_PACK_NAME": "mine"})
    assert outcome.result["stdout"] == "1 2 core False 32"


def test_environment__number__is_refused():
    with pytest.raises(TypeError, match="^expected str, bytes or os.PathLike object, not int$"):
        run("true", env={"N": 5})


def test_directory__missing__is_an_error():
    with pytest.raises(FileNotFoundError, match=r"^\[Errno 2\] No such file or directory: '/no/such/dir'$"):
        run("true", cwd="/no/such/dir")


def test_command__with_entry_point__is_refused():
    job = a_job("local-shell-cmd", runner={"cmd": "true"}, action={"entry_point": "x.sh"})
    with pytest.raises(RunnerFailed, match="^entry_point is only valid for local-shell-script runner$"):
        LocalShellCommandRunner().run(job)


def test_user__other_than_ours__goes_through_sudo():
    assert shell_command("id", sudo=False, sudo_password=None, system_user="stanley2").argv[:7] == [
        "sudo",
        "-E",
        "-H",
        "-u",
        "stanley2",
        "--",
        "bash",
    ]
    assert shell_command("id", sudo=True, sudo_password=None, system_user="x").argv == ["sudo", "-E", "--", "bash", "-c", "id"]
    with_password = shell_command("id", sudo=True, sudo_password="pw", system_user="x")
    assert (with_password.argv[:2], with_password.stdin) == (["sudo", "-S"], b"pw\n")


@pytest.mark.skipif(not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], check=False).returncode, reason="needs sudo")
def test_sudo__over_its_limit__everything_is_killed():
    outcome = run("echo $$; sleep 60", sudo=True, timeout=1)
    assert outcome.status == "timeout"
    assert gone(outcome.result["stdout"])


ARGS = '#!/bin/sh\nfor a in "$@"; do printf "[%s]" "$a"; done\n'


def test_script__with_arguments__named_then_positional(tmp_path):
    write(tmp_path / "actions" / "a b.sh", ARGS)
    action = {
        "pack": "mine",
        "entry_point": "a b.sh",
        "parameters": {"first": {"type": "string", "position": 1}, "second": {"type": "integer", "position": 0}, "timeout": {"default": 5}},
    }
    job = a_job("local-shell-script", action=action, pack_path=str(tmp_path), parameters={"name": "n n", "first": "$(id)", "second": 0, "flag": True})
    outcome = LocalShellScriptRunner().run(job)
    assert outcome.result["stdout"] == "[--name=n n][--flag][][$(id)]"


def test_script__missing__is_an_error_with_its_path(tmp_path):
    job = a_job("local-shell-script", action={"entry_point": "x.sh"}, pack_path=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=rf"^\[Errno 2\] No such file or directory: '{tmp_path}/actions/x.sh'$"):
        LocalShellScriptRunner().run(job)


def test_script__at_a_revision__runs_from_there(tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    script = write(tmp_path / "actions" / "v.sh", "#!/bin/sh\necho one\n")
    subprocess.run([*git[:3], "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    subprocess.run([*git, "tag", "v1"], check=True)
    script.write_text("#!/bin/sh\necho two\n")
    action = {"pack": "mine", "entry_point": "v.sh"}

    def at(version):
        return LocalShellScriptRunner().run(a_job("local-shell-script", runner={"content_version": version}, action=action, pack_path=str(tmp_path)))

    assert at("v1").result["stdout"] == "one"
    assert at(None).result["stdout"] == "two"
    with pytest.raises(RunnerFailed, match='^Failed to create git worktree for pack "mine": Invalid content_version "v9" provided. Make sure'):
        at("v9")
    worktrees = subprocess.run([*git, "worktree", "list"], check=True, capture_output=True, text=True).stdout
    assert len(worktrees.splitlines()) == 1
