"""The remote runners against a real sshd on the loopback interface (runners.md section 3)."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest
from jobs import Output, a_job, write

from st2actions.runners.remote_shell import RemoteShellCommandRunner, RemoteShellScriptRunner
from st2actions.runners.ssh_command import parse_hosts, remote_command
from st2common.exceptions import RunnerFailed
from st2common.runners.contract import SshSettings

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
needs_sshd = pytest.mark.skipif(not os.path.exists(SSHD) or os.geteuid() != 0, reason="needs sshd and root")

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {path}/host_key
AuthorizedKeysFile {path}/authorized_keys
PidFile {path}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    path = tmp_path_factory.mktemp("sshd")
    for name, more in (("host_key", []), ("user_key", []), ("locked_key", ["-N", "open sesame"])):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-f", str(path / name), *(more or ["-N", ""])], check=True)
    keys = [(path / f"{name}.pub").read_text() for name in ("user_key", "locked_key")]
    write(path / "authorized_keys", "".join(keys))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    write(path / "config", CONFIG.format(port=port, path=path))
    os.makedirs("/run/sshd", exist_ok=True)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(path / "config")], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield {"port": port, "path": path}
    server.terminate()
    server.wait()


@pytest.fixture
def run(sshd):
    def run(cmd="", *, hosts=None, key="user_key", script=None, job=False, **more):
        runner = {"hosts": hosts or f"127.0.0.1:{sshd['port']}", "username": getpass.getuser(), **more.pop("runner", {})}
        settings = {"ssh": SshSettings(connect_timeout_s=10, key_file=str(sshd["path"] / key)), **more.pop("settings", {})}
        kind = "remote-shell-script" if script else "remote-shell-cmd"
        if not script:
            runner["cmd"] = cmd
        made = a_job(kind, runner=runner, settings=settings, **more)
        return made if job else (RemoteShellScriptRunner() if script else RemoteShellCommandRunner()).run(made)

    return run


def done(code, stdout="", stderr="", **more):
    return {"failed": code != 0, "succeeded": code == 0, "return_code": code, "stdout": stdout, "stderr": stderr, **more}


def test_hosts__are_read():
    assert [(host.name, host.port) for host in parse_hosts(" a, b:22022 ,[::1]:5,fe80::1,[::2]")] == [
        ("a", 0), ("b", 22022), ("::1", 5), ("fe80::1", 0), ("::2", 0),
    ]  # fmt: skip
    with pytest.raises(RunnerFailed):
        parse_hosts("a:b")


def test_command__is_as_recorded():
    plain = remote_command("echo hi", env={"B": "1", "A": "x y"}, cwd="/tmp", secrets=("1",))
    assert plain.text == "export A='x y' B=1 && cd /tmp && echo hi"
    assert plain.shown == "export A='x y' B=******** && cd /tmp && echo hi"
    sudo = remote_command("id", env={"A": "1"}, cwd="/tmp", sudo=True)
    assert (sudo.text, sudo.needs_terminal) == ("sudo -E -- bash -c 'export A=1 && cd /tmp && id'", True)
    asked = remote_command("id", env={}, cwd="/tmp", sudo=True, sudo_password="p w")
    assert asked.text.startswith("set +o history ; echo -e 'p w\\n' | sudo -S -E -- bash -c 'export HISTFILE=/dev/null HISTSIZE=0 && cd /tmp && id'")
    assert "p w" not in asked.shown


def test_hosts__none__is_an_error():
    with pytest.raises(RunnerFailed, match="^No hosts specified to run action for action 5f00000000000000000000bb.$"):
        RemoteShellCommandRunner().run(a_job("remote-shell-cmd", runner={"hosts": " "}))


@needs_sshd
def test_command__ends__result_by_host(run):
    outcome = run("echo hi; echo err >&2; pwd")
    assert (outcome.status, outcome.result) == ("succeeded", {"127.0.0.1": done(0, "hi\n/tmp", "err")})
    outcome = run("echo '{\"a\": 1}'; exit 3")
    assert (outcome.status, outcome.result) == ("failed", {"127.0.0.1": done(3, {"a": 1})})
    assert run("kill -9 $$").result["127.0.0.1"]["return_code"] != 0


@needs_sshd
def test_environment__is_exported(run):
    outcome = run('echo "$A $ST2_ACTION_PACK_NAME ${#ST2_ACTION_AUTH_TOKEN}"', runner={"env": {"A": "x y"}})
    assert outcome.result["127.0.0.1"]["stdout"] == "x y core 32"


@needs_sshd
def test_time_limit__output_so_far_is_kept_and_the_token_is_masked(run):
    outcome = run("echo part; sleep 60", runner={"timeout": 1})
    result = outcome.result["127.0.0.1"]
    assert (outcome.status, result["timeout"], result["return_code"], result["stdout"]) == ("timeout", True, -9, "part")
    assert "0123456789abcdef" not in result["error"]
    assert result["error"].startswith('Failed executing command "export ')
    assert 'on host "127.0.0.1" Command didn\'t finish in 1 seconds or the SSH connection did not succeed in 10 seconds' in result["error"]


@needs_sshd
def test_one_host_of_two_down__the_other_runs(run, sshd):
    outcome = run("echo hi", hosts=f"localhost:1,127.0.0.1:{sshd['port']}")
    assert outcome.status == "failed"
    assert outcome.result["127.0.0.1"] == done(0, "hi")
    down = outcome.result["localhost"]
    assert (down["return_code"], down["timeout"], down["succeeded"]) == (255, False, False)
    assert down["error"].startswith("Failed connecting to host localhost. ")
    partial = run(
        "echo hi",
        hosts=f"localhost:1,127.0.0.1:{sshd['port']}",
        settings={"ssh": SshSettings(allow_partial_failure=True, key_file=str(sshd["path"] / "user_key"))},
    )
    assert partial.status == "succeeded"


@needs_sshd
def test_nobody_reachable__is_an_error(run):
    with pytest.raises(RunnerFailed, match=r"^Unable to connect to any one of the hosts: \['127.0.0.1:1'\]\.\n\n connect_errors=\{\n"):
        run("echo hi", hosts="127.0.0.1:1")


@needs_sshd
def test_keys__text_path_and_passphrase(run, sshd):
    key = (sshd["path"] / "user_key").read_text()
    locked = str(sshd["path"] / "locked_key")
    assert run("echo 1", key="no_such", runner={"private_key": key}).status == "succeeded"
    assert run("echo 1", key="no_such", runner={"private_key": locked, "passphrase": "open sesame"}).status == "succeeded"
    with pytest.raises(RunnerFailed, match="Unable to connect"):
        run("echo 1", runner={"private_key": locked, "passphrase": "wrong"})
    with pytest.raises(RunnerFailed, match="Authentication failed"):
        run("echo 1", runner={"private_key": str(sshd["path"] / "host_key")})
    with pytest.raises(RunnerFailed, match="without the private key"):
        run("echo 1", runner={"passphrase": "x"})


@needs_sshd
def test_ssh_config__names_key_user_and_port(run, sshd):
    config = write(
        sshd["path"] / "client", f"Host box\n  HostName 127.0.0.1\n  Port {sshd['port']}\n  User root\n  IdentityFile {sshd['path']}/user_key\n"
    )
    settings = {"ssh": SshSettings(use_ssh_config=True, config_file_path=str(config), key_file="/no/such")}
    outcome = run("whoami", hosts="box", runner={"username": ""}, settings=settings)
    assert outcome.result == {"box": done(0, "root")}


@needs_sshd
def test_bastion__is_gone_through(run, sshd):
    outcome = run("echo $SSH_CONNECTION", runner={"bastion_host": f"127.0.0.1:{sshd['port']}"})
    assert outcome.status == "succeeded"


@needs_sshd
def test_output__one_host__is_streamed(run):
    output = Output()
    run("echo a; sleep 0.3; echo b >&2", output=output)
    assert output.pieces == [("stdout", "a\n"), ("stderr", "b\n")]


@needs_sshd
def test_cancel__ends_the_run(run):
    output = Output()
    job = run("echo up; sleep 60", output=output, job=True)
    canceller = threading.Thread(target=lambda: (output.seen.wait(20), job.cancel()))
    canceller.start()
    began = time.monotonic()
    RemoteShellCommandRunner().run(job)
    canceller.join()
    assert time.monotonic() - began < 30


@needs_sshd
@pytest.mark.skipif(not shutil.which("sudo"), reason="needs sudo")
def test_sudo__on_a_terminal__stderr_joins_stdout(run):
    outcome = run("id -u; echo err >&2; echo $A", runner={"sudo": True, "env": {"A": "kept"}})
    assert outcome.result == {"127.0.0.1": done(0, "0\nerr\nkept")}


@needs_sshd
def test_script__is_copied_with_its_library_and_removed(run, tmp_path):
    write(tmp_path / "actions" / "s.sh", '#!/bin/bash\n. "$(dirname "$0")/lib/more.sh"\necho "$0"; more; echo "[$1] [$2]"; pwd\n')
    write(tmp_path / "actions" / "lib" / "more.sh", "more() { echo more; }\n")
    (tmp_path / "up").mkdir()
    action = {"pack": "mine", "entry_point": "s.sh", "parameters": {"p": {"type": "string", "position": 0}}}
    outcome = run(
        script=True, action=action, pack_path=str(tmp_path), parameters={"p": "a b", "n": "x"}, runner={"dir": str(tmp_path / "up"), "cwd": "/usr"}
    )
    directory = f"{tmp_path}/up/5f00000000000000000000bb"
    assert outcome.result == {"127.0.0.1": done(0, f"{directory}/s.sh\nmore\n[--n=x] [a b]\n/usr")}
    assert os.listdir(tmp_path / "up") == []


@needs_sshd
def test_script__cannot_be_copied__the_run_tells(run, tmp_path):
    write(tmp_path / "actions" / "s.sh", "#!/bin/sh\n")
    action = {"pack": "mine", "entry_point": "s.sh"}
    outcome = run(script=True, action=action, pack_path=str(tmp_path), runner={"dir": "/no/such"})
    assert (outcome.status, outcome.result["127.0.0.1"]["return_code"]) == ("failed", 127)
    assert "No such file or directory" in outcome.result["127.0.0.1"]["stderr"]
