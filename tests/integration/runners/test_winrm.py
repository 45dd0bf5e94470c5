"""The WinRM runners against a small WS-Management server that answers as a Windows host would (runners.md section 7)."""

from __future__ import annotations

import base64
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from jobs import a_job, write

from st2actions.runners.powershell import literal, readable_error, script_parameters
from st2actions.runners.winrm import WinRmCommandRunner, WinRmPsCommandRunner, WinRmPsScriptRunner

pytest.importorskip("winrm")

ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" '
    'xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">'
    "<s:Header><a:RelatesTo>{id}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
)
CREATED = '<rsp:Shell><rsp:ShellId>S1</rsp:ShellId></rsp:Shell><w:Selector Name="ShellId">S1</w:Selector>'
TIMED_OUT = (
    '<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" '
    'Code="2150858793"/></s:Detail></s:Fault>'
)


class Windows(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.requests.append(text)
        action = re.search(r"Action[^>]*>([^<]+)<", text).group(1).rpartition("/")[2]
        code, body = getattr(self, f"on_{action.lower()}")(text)
        answer = ENVELOPE.format(id=re.search(r"MessageID>([^<]+)<", text).group(1), body=body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def on_create(self, text):
        return 200, CREATED

    def on_command(self, text):
        self.server.commands.append(re.search(r"Command>([^<]*)</rsp:Command>", text).group(1))
        return 200, "<rsp:CommandResponse><rsp:CommandId>C1</rsp:CommandId></rsp:CommandResponse>"

    def on_receive(self, text):
        code, stdout, stderr = self.server.answer(self.server.commands[-1])
        if code is None:
            time.sleep(0.2)
            return 500, TIMED_OUT
        streams = "".join(
            f'<rsp:Stream Name="{name}" CommandId="C1">{base64.b64encode(data.encode()).decode()}</rsp:Stream>'
            for name, data in (("stdout", stdout), ("stderr", stderr))
        )
        done = 'State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"'
        state = f'<rsp:CommandState CommandId="C1" {done}><rsp:ExitCode>{code}</rsp:ExitCode></rsp:CommandState>'
        return 200, f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"

    def on_signal(self, text):
        return 200, "<rsp:SignalResponse/>"

    def on_delete(self, text):
        return 200, ""


@pytest.fixture
def host():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Windows)
    server.commands, server.requests = [], []
    server.answer = lambda command: (0, "", "")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def run(winrm_runner, host, **more):
    parameters = {
        "host": "127.0.0.1", "port": host.server_port, "scheme": "http", "transport": "plaintext", "username": "u", "password": "p",
        **more.pop("runner", {}),
    }  # fmt: skip
    return winrm_runner.run(a_job(winrm_runner.name, runner=parameters, **more))


def decoded(command):
    return base64.b64decode(command.removeprefix("powershell -encodedcommand ")).decode("utf_16_le")


def test_command__ends__result_and_surroundings(host):
    host.answer = lambda command: (3, '{"a": 1}', "err\r\n")
    outcome = run(WinRmCommandRunner(), host, runner={"cmd": "dir", "cwd": "C:\\x", "env": {"A": "1"}})
    assert host.commands == ["dir"]
    expected = {"failed": True, "succeeded": False, "return_code": 3, "stdout": {"a": 1}, "stderr": "err\r\n"}
    assert (outcome.status, outcome.result) == ("failed", expected)
    assert "65001" in host.requests[0] and "C:\\x" in host.requests[0] and 'Name="A"' in host.requests[0]


def test_powershell__is_encoded_and_its_errors_are_readable(host):
    error = '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><S S="Error">no_x000D__x000A_way</S></Objs>'
    host.answer = lambda command: (1, "", error)
    outcome = run(WinRmPsCommandRunner(), host, runner={"cmd": "Get-Item ü"})
    assert decoded(host.commands[0]) == "Get-Item ü"
    assert outcome.result["stderr"] == "no\nway"


def test_time_limit__status_timeout(host):
    host.answer = lambda command: (None, "", "")
    outcome = run(WinRmCommandRunner(), host, runner={"cmd": "x", "timeout": 1})
    expected = {"failed": True, "succeeded": False, "return_code": -1, "stdout": "", "stderr": ""}
    assert (outcome.status, outcome.result) == ("timeout", expected)


def test_script__short__goes_inline(host, tmp_path):
    write(tmp_path / "actions" / "s.ps1", "param($a) $a")
    action = {"entry_point": "s.ps1", "parameters": {"p": {"position": 0}}}
    run(WinRmPsScriptRunner(), host, action=action, pack_path=str(tmp_path), parameters={"p": 5, "a": "x y"})
    assert decoded(host.commands[0]) == '& {param($a) $a} -a "x y" 5'


def test_script__long__is_uploaded_run_and_removed(host, tmp_path):
    write(tmp_path / "actions" / "s.ps1", "# " + "x" * 5000)
    host.answer = lambda command: (0, "C:\\Temp\\\r\n" if "GetTempPath" in decoded(command) else "5", "")
    outcome = run(WinRmPsScriptRunner(), host, action={"entry_point": "s.ps1"}, pack_path=str(tmp_path))
    scripts = [decoded(command) for command in host.commands]
    assert outcome.result["stdout"] == 5
    assert [sum(word in script for script in scripts) for word in ("New-Item", "FromBase64String", "Remove-Item")] == [1, 3, 1]
    assert re.fullmatch(r'& "C:\\Temp\\st2-[0-9a-f]{16}\\script\.ps1"', scripts[-2])


def test_literals():
    assert literal(None) == "$null"
    assert literal('a"b$c`\n') == '"a`"b`$c```n"'
    assert literal([1, 2.5, True, {"k": "v", "n": None}]) == '@(1, 2.5, $true, @{"k" = "v"; "n" = $null})'
    assert script_parameters({"p": {"position": 0}}, {"f": True, "g": False, "e": "", "l": [1]}, "-") == "-f -l @(1) $null"
    assert readable_error("plain") == "plain"
    assert readable_error("#< CLIXML\r\n<broken") == "#< CLIXML\r\n<broken"
