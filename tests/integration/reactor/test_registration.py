"""Content of a pack on disk, registered while the platform runs: by the API and by ``st2ctl reload``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.reactor.conftest import Reactor

GOOD = {
    "actions/good.yaml": "name: good\nrunner_type: noop\n",
    "actions/other.yaml": "name: other\nrunner_type: noop\n",
    "rules/good.yaml": "name: good\ntrigger: {type: core.st2.webhook, parameters: {url: %(pack)s}}\naction: {ref: %(pack)s.good}\nenabled: true\n",
    "aliases/good.yaml": "name: %(pack)s_good\naction_ref: %(pack)s.good\nformats: [%(pack)s good]\n",
    "policies/good.yaml": (
        "name: %(pack)s_good\nresource_ref: %(pack)s.good\npolicy_type: action.retry\nparameters: {retry_on: failure, max_retry_count: 1}\n"
    ),
    "triggers/good.yaml": "name: good\npayload_schema: {type: object}\n",
    "sensors/good.yaml": "class_name: Good\nentry_point: good.py\nenabled: false\ntrigger_types: [{name: sensed}]\n",
    "sensors/good.py": "",
}
BROKEN = {
    "actions/bad.yaml": ("name: bad\nrunner_type: noop\nparameters:\n  a: {type: nonsense}\n", 4, "nonsense"),
    "actions/twice.yaml": ("name: twice\nrunner_type: noop\nname: again\n", 3, "duplicate key"),
    "rules/bad.yaml": (
        "name: bad\ntrigger: {type: core.noop}\naction: {ref: core.noop}\ncriteria:\n  trigger.a: {type: nosuch, pattern: 1}\n", 5, "operator nosuch",
    ),
    "sensors/bad.yaml": ("class_name: [\n", 2, ""),
}  # fmt: skip


PATHS = {"actions": "action", "rules": "rule", "actionalias": "alias", "policies": "policy", "triggertypes": "trigger", "sensortypes": "sensor"}


def write(pack: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (pack / name).parent.mkdir(exist_ok=True)
        (pack / name).write_text(text.replace("%(pack)s", pack.name))


def resources(reactor: Reactor, pack: Path) -> set[str]:
    """What the pack has: ``action good`` and so on."""
    found = set()
    for path, kind in PATHS.items():
        rows = reactor.api("GET", f"{path}?pack={pack.name}&limit=100")
        found |= {f"{kind} {row['name']}" for row in rows if row["pack"] == pack.name}
    return found


def expected(pack: Path) -> set[str]:
    return {
        "action good",
        "action other",
        "rule good",
        f"alias {pack.name}_good",
        f"policy {pack.name}_good",
        "trigger good",
        "trigger sensed",
        "sensor Good",
    }


def reload(reactor: Reactor, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "st2common.ctl.main", "reload", "--data", str(reactor.platform.data_dir), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_broken_files__are_named_with_line_and_reason__the_others_are_registered(reactor: Reactor, pack: Path) -> None:
    write(pack, GOOD)
    write(pack, {name: text for name, (text, _, _) in BROKEN.items()})
    refused = reactor.request("POST", "packs/register", json={"packs": [pack.name], "types": ["all"], "fail_on_failure": True})
    assert refused.status_code == 400
    assert any(name in refused.json()["faultstring"] for name in BROKEN), refused.text

    report = reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["all"], "fail_on_failure": False})
    assert {kind: report[kind] for kind in ("actions", "rules", "aliases", "policies", "triggers", "sensors")} == {
        "actions": 2, "rules": 1, "aliases": 1, "policies": 1, "triggers": 1, "sensors": 1
    }  # fmt: skip
    assert resources(reactor, pack) == expected(pack)

    done = reload(reactor, "--register-all", "--register-no-fail-on-failure")
    assert done.returncode == 0, done.stderr
    for name, (_, line, reason) in BROKEN.items():
        said = [text for text in done.stderr.splitlines() if text.startswith("not registered: ") and f"{pack.name}/{name}" in text]
        assert len(said) == 1, done.stderr
        assert reason in said[0] and str(line) in said[0].split(name)[1], said
    assert resources(reactor, pack) == expected(pack)
    done = reload(reactor, "--register-actions")
    assert done.returncode == 1 and "actions/bad.yaml" in done.stderr


def test_file_that_is_gone__takes_its_content_along__what_the_api_made_stays(reactor: Reactor, pack: Path) -> None:
    write(pack, GOOD)
    reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["all"]})
    made = reactor.rule("core.st2.webhook", {"url": f"{pack.name}-api"}, pack=pack.name, name="made_by_api")
    action = reactor.api(
        "POST", "actions", json={"name": "made_by_api", "pack": pack.name, "runner_type": "noop", "enabled": True, "entry_point": ""}
    )
    reactor.afterwards(lambda: reactor.request("DELETE", f"actions/{action['id']}"))
    reactor.post(pack.name, {})

    for name in ("actions/other.yaml", "rules/good.yaml", "aliases/good.yaml", "policies/good.yaml", "triggers/good.yaml", "sensors/good.yaml"):
        (pack / name).unlink()
    reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["all"]})
    assert resources(reactor, pack) == {"action good", "action made_by_api", "rule made_by_api"}
    assert reactor.request("POST", f"webhooks/{pack.name}", json={}).status_code == 404, "the rule's trigger went with it"
    reactor.post(f"{pack.name}-api", {})
    assert len(reactor.executions(made)) == 1
    refs = {trigger["ref"] for trigger in reactor.api("GET", "triggers")}
    assert not refs & {f"{pack.name}.good", f"{pack.name}.sensed"}


def test_broken_file__keeps_what_it_made(reactor: Reactor, pack: Path) -> None:
    write(pack, GOOD)
    reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["all"]})
    before = reactor.api("GET", f"rules/{pack.name}.good")
    (pack / "rules" / "good.yaml").write_text("name: good\ntrigger: [\n")
    reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["rules"], "fail_on_failure": False})
    assert reactor.api("GET", f"rules/{pack.name}.good") == before
    write(pack, GOOD)
    reactor.api("POST", "packs/register", json={"packs": [pack.name], "types": ["rules"]})
    after = reactor.api("GET", f"rules/{pack.name}.good")
    assert (after["id"], after["trigger"]["ref"]) == (before["id"], before["trigger"]["ref"]), "registering again changes nothing"
