"""Registration of packs into a real database."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from st2common.exceptions import Invalid
from st2common.packs.registrar import Registrar
from st2common.packs.unload import unload
from st2common.store import Store

REPOSITORY = Path(__file__).resolve().parents[3]
MANIFEST = {"name": "demo", "description": "d", "version": "1.0.0", "author": "a", "email": "a@example.com"}


class Base:
    """A base directory with one pack, ``demo``, that tests write files into."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self.store = store
        self.write("pack.yaml", "\n".join(f"{key}: {value}" for key, value in MANIFEST.items()))

    def write(self, file: str, text: str) -> None:
        target = self.path / "packs" / "demo" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def remove(self, file: str) -> None:
        (self.path / "packs" / "demo" / file).unlink()

    def registrar(self) -> Registrar:
        return Registrar(self.store, pack_paths=[self.path / "packs"], base_path=self.path)

    def register(self, *types: str, **options: Any) -> Any:
        return self.registrar().register(types or None, ["demo"], **options)


@pytest.fixture
def base(tmp_path: Path, store: Store) -> Base:
    made = Base(tmp_path, store)
    made.registrar().register_internal_trigger_types()
    return made


def rule(name: str = "r", url: str = "demo", **more: Any) -> str:
    lines = [f"name: {name}", *(f"{key}: {value}" for key, value in more.items())]
    return "\n".join([*lines, f"trigger: {{type: core.st2.webhook, parameters: {{url: {url}}}}}", "action: {ref: core.noop}"])


def webhook_triggers(store: Store) -> dict[str, float]:
    """Url -> number of references."""
    return {item.parameters["url"]: item.ref_count for item in store.triggers.by_type("core.st2.webhook")}


def test_built_in_packs(store: Store, tmp_path: Path) -> None:
    registrar = Registrar(store, pack_paths=[REPOSITORY / "contrib"], base_path=tmp_path)
    assert registrar.register_internal_trigger_types() == 14
    report = registrar.register()
    assert report.problems == [] and report.warnings == []
    assert report.counts == {
        "runners": 14, "rule_types": 2, "policy_types": 3, "triggers": 0, "sensors": 2, "actions": 63, "rules": 7, "aliases": 5,
        "policies": 1, "configs": 0,
    }  # fmt: skip
    assert store.triggers.by_ref("examples.new_file").shadow
    sensor = store.catalog.by_ref("sensor", "linux.FileWatchSensor").to_api()
    assert sensor["entry_point"] == "sensors.file_watch_sensor.FileWatchSensor"
    assert sensor["artifact_uri"] == f"file://{REPOSITORY}/contrib/linux/sensors/file_watch_sensor.py"
    assert sensor["trigger_types"] == ["linux.file_watch.line"]

    ids = {item.ref: item.id for item in store.catalog.find_all("action")}
    before = webhook_triggers(store)
    assert registrar.register().counts == report.counts
    assert {item.ref: item.id for item in store.catalog.find_all("action")} == ids
    assert webhook_triggers(store) == before == {"alertmanager": 2}


def test_counts_of_single_types(base: Base) -> None:
    base.write("actions/a.yaml", "name: a\nrunner_type: noop\n")
    assert base.register("aliases").counts == {"aliases": 0}
    assert base.register("action").counts == {"runners": 14, "actions": 1}
    assert base.register("sensor").counts == {"sensors": 0}
    with pytest.raises(Invalid, match="'zzz' is not one of"):
        base.register("zzz")
    with pytest.raises(Invalid, match='Pack "nope" not found on disk: Directory "'):
        base.registrar().register(["action"], ["nope"])


def test_a_bad_file_names_itself_and_does_not_stop_the_others(base: Base) -> None:
    base.write("actions/a.yaml", "name: a\nrunner_type: noop\n")
    base.write("actions/b.yaml", "name: b\nrunner_type: noop\nparameters:\n  x:\n    type: strng\n")
    base.write("actions/c.yaml", "name: c\nrunner_type: noop\n")
    with pytest.raises(Invalid, match=r'Failed to register action ".*b\.yaml" from pack "demo": .*strng.*line 5'):
        base.register("action")
    assert base.store.catalog.by_ref("action", "demo.a") is not None

    report = base.register("action", fail_on_failure=False)
    assert report.counts["actions"] == 2
    (problem,) = report.problems
    assert (problem.line, Path(problem.file).name) == (5, "b.yaml")
    assert base.store.catalog.by_ref("action", "demo.c") is not None


def test_a_broken_workflow_is_registered_and_told(base: Base) -> None:
    base.write("actions/flow.yaml", "name: flow\nrunner_type: orquesta\nentry_point: workflows/flow.yaml\nenabled: true")
    base.write("actions/workflows/flow.yaml", "version: 1.0\ntasks:\n  a:\n    action: core.noop\n    next:\n      - do: nowhere\n")
    base.write("actions/links.yaml", "name: links\nrunner_type: action-chain\nentry_point: chains/links.yaml\nenabled: true")
    base.write("actions/chains/links.yaml", "chain:\n  - {name: a, ref: core.noop, on-success: nowhere}\n")
    report = base.register("actions")
    assert report.counts["actions"] == 2 and report.problems == []
    told = {(Path(warning.file).name, warning.line): warning.reason for warning in report.warnings}
    assert 'tasks.a.next[0].do: The task "nowhere" is not defined.' in told["flow.yaml", 6]
    assert 'Unable to find node with name "nowhere"' in told["links.yaml", None]


def test_what_is_gone_from_disk_disappears_and_what_the_api_made_stays(base: Base) -> None:
    base.write("actions/a.yaml", "name: a\nrunner_type: noop\n")
    base.write("actions/b.yaml", "name: b\nrunner_type: noop\n")
    base.register("action")
    base.store.catalog.insert("action", {"name": "by_api", "pack": "demo", "runner_type": "noop"})
    base.remove("actions/a.yaml")
    base.write("actions/b.yaml", "name: [broken\n")
    report = base.register("action", fail_on_failure=False)
    assert report.removed == ["demo.a"]
    assert [item.ref for item in base.store.catalog.find_all("action")] == ["demo.b", "demo.by_api"]


def test_renaming_within_a_file_removes_the_old_name(base: Base) -> None:
    base.write("actions/a.yaml", "name: old\nrunner_type: noop\n")
    base.register("action")
    base.write("actions/a.yaml", "name: new\nrunner_type: noop\n")
    base.register("action")
    assert [item.ref for item in base.store.catalog.find_all("action")] == ["demo.new"]


def test_rules_hold_their_triggers(base: Base) -> None:
    base.write("rules/one.yaml", rule("one"))
    base.write("rules/two.yaml", rule("two"))
    base.register("rule")
    assert webhook_triggers(base.store) == {"demo": 2}
    base.register("rule")
    assert webhook_triggers(base.store) == {"demo": 2}

    base.write("rules/two.yaml", rule("two", url="other"))
    base.register("rule")
    assert webhook_triggers(base.store) == {"demo": 1, "other": 1}

    base.remove("rules/one.yaml")
    base.register("rule")
    assert webhook_triggers(base.store) == {"other": 1}


def test_a_rule_of_a_file_is_reset_and_replaces_its_twin_in_default(base: Base) -> None:
    base.write("rules/r.yaml", rule(enabled="true"))
    base.register("rule")
    first = base.store.catalog.by_ref("rule", "demo.r")
    base.store.catalog.set_fields("rule", first.id, {"enabled": False})
    twin = base.store.catalog.insert("rule", {"name": "r", "pack": "default", "trigger": {}, "action": {}})
    base.register("rule")
    again = base.store.catalog.by_ref("rule", "demo.r")
    assert (again.id, again.enabled) == (first.id, True)
    assert base.store.catalog.by_id("rule", str(twin.id)) is None


def test_wrong_trigger_parameters(base: Base) -> None:
    timer = "name: r\ntrigger:\n  type: core.st2.IntervalTimer\n  parameters: {unit: fortnights, delta: 1}\naction: {ref: core.noop}\n"
    base.write("rules/r.yaml", timer)
    with pytest.raises(Invalid, match="'fortnights' is not one of"):
        base.register("rule")
    assert base.store.triggers.by_type("core.st2.IntervalTimer") == []


def test_parameters_of_a_packs_own_trigger_type(base: Base) -> None:
    schema = "parameters_schema:\n  type: object\n  properties:\n    path: {type: string, required: true}\n  additionalProperties: false\n"
    base.write("triggers/t.yaml", f"name: t\n{schema}")
    base.write("rules/r.yaml", "name: r\ntrigger: {type: demo.t, parameters: {pth: x}}\naction: {ref: core.noop}\n")
    with pytest.raises(Invalid, match="demo.t"):
        base.register("trigger", "rule")
    lenient = Registrar(base.store, pack_paths=[base.path / "packs"], base_path=base.path, validate_trigger_parameters=False)
    lenient.register(["rule"], ["demo"])
    assert base.store.catalog.by_ref("rule", "demo.r") is not None


def test_trigger_types_and_their_shadow(base: Base) -> None:
    base.write("triggers/t.yaml", "name: t\n")
    base.register("trigger")
    trigger = base.store.triggers.by_ref("demo.t")
    assert trigger.shadow and trigger.type == "demo.t"
    base.write("triggers/t.yaml", "name: t\nparameters_schema: {type: object, properties: {a: {type: string}}}\n")
    base.register("trigger")
    assert base.store.triggers.by_ref("demo.t") is None
    base.write("triggers/t.yaml", "name: t\n")
    base.register("trigger")
    assert base.store.triggers.by_ref("demo.t") is not None
    base.remove("triggers/t.yaml")
    assert base.register("trigger").removed == ["demo.t"]
    assert base.store.triggers.by_ref("demo.t") is None


def test_sensors_bring_their_trigger_types(base: Base) -> None:
    base.write("sensors/s.py", "")
    sensor = "class_name: S\nentry_point: s.py\npoll_interval: 5\ntrigger_types:\n  - name: one\n  - name: two\n"
    base.write("sensors/s.yaml", sensor)
    base.register("sensor")
    found = base.store.catalog.by_ref("sensor", "demo.S").to_api()
    assert found["trigger_types"] == ["demo.one", "demo.two"]
    assert found["poll_interval"] == 5

    base.write("sensors/s.yaml", sensor.replace("  - name: two\n", ""))
    base.register("sensor")
    assert base.store.catalog.by_ref("trigger_type", "demo.two") is None
    assert base.store.triggers.by_ref("demo.one") is not None

    base.write("sensors/s.yaml", sensor.replace("class_name: S", "class_name: T"))
    base.register("sensor")
    assert [item.ref for item in base.store.catalog.find_all("sensor")] == ["demo.T"]
    assert base.store.triggers.by_ref("demo.one") is not None

    base.remove("sensors/s.yaml")
    base.register("sensor")
    assert base.store.catalog.find_all("trigger_type", {"pack": "demo"}) == []


def test_aliases_are_found_by_name_alone(base: Base) -> None:
    made = base.store.catalog.insert("alias", {"name": "al", "pack": "other", "action_ref": "core.noop", "formats": ["x"]})
    base.write("aliases/al.yaml", "name: al\naction_ref: core.noop\nformats: ['y']\n")
    base.register("alias")
    (alias,) = base.store.catalog.find_all("alias")
    assert (alias.id, alias.ref, alias.formats) == (made.id, "demo.al", ["y"])


def test_overrides(base: Base) -> None:
    base.write("actions/a.yaml", "name: a\nrunner_type: noop\n")
    base.write("actions/b.yaml", "name: b\nrunner_type: noop\n")
    overrides = base.path / "overrides"
    overrides.mkdir()
    (overrides / "_global.yaml").write_text("actions: {defaults: {enabled: false}}\n")
    (overrides / "demo.yaml").write_text("actions: {exceptions: {b: {enabled: true}}}\n")
    report = base.register("action")
    assert report.counts["actions"] == 2
    assert report.counts["actions(overridden)"] >= 1
    assert base.store.catalog.by_ref("action", "demo.a").enabled is False
    assert base.store.catalog.by_ref("action", "demo.b").enabled is True
    (overrides / "demo.yaml").write_text("actions: {defaults: {colour: red}}\n")
    with pytest.raises(Invalid, match="Override attempted with invalid default key colour in pack demo"):
        base.register("action")


def test_configurations(base: Base) -> None:
    base.write("config.schema.yaml", "url: {type: string, required: true}\ncount: {type: integer, default: 3}\n")
    configs = base.path / "configs"
    configs.mkdir()
    (configs / "demo.yaml").write_text("url: http://x\nother: 1\n")
    assert base.register("config").counts == {"configs": 1}
    assert base.store.catalog.by_ref("config", "demo").values == {"url": "http://x", "other": 1}
    (configs / "demo.yaml").write_text("url: 5\n")
    with pytest.raises(Invalid, match=r'Failed validating attribute "url" in config for pack "demo"'):
        base.register("config")
    base.write("config.schema.yaml", "")
    with pytest.raises(Invalid, match=r'Failed to register pack "demo": '):
        base.register("config")


def test_a_broken_manifest_skips_its_pack(base: Base) -> None:
    base.write("actions/a.yaml", "name: a\nrunner_type: noop\n")
    base.write("pack.yaml", "name: demo\ndescription: d\nversion: 0.1\nauthor: a\nemail: a@example.com\n")
    with pytest.raises(Invalid, match=r'^Failed to register pack "demo": Pack version "0.1" doesn\'t follow a valid semver format'):
        base.register("action")
    report = base.register("action", fail_on_failure=False)
    assert report.counts["actions"] == 0
    assert len(report.problems) == 1


def test_the_first_base_path_wins(base: Base, tmp_path: Path) -> None:
    base.write("actions/a.yaml", "name: first\nrunner_type: noop\n")
    second = tmp_path / "more" / "demo"
    shutil.copytree(base.path / "packs" / "demo", second)
    (second / "actions" / "a.yaml").write_text("name: second\nrunner_type: noop\n")
    registrar = Registrar(base.store, pack_paths=[base.path / "packs", tmp_path / "more"], base_path=base.path)
    registrar.register(["action"])
    assert [item.name for item in base.store.catalog.find_all("action")] == ["first"]


def test_unload(base: Base) -> None:
    base.write("actions/a.yaml", "name: a\nrunner_type: noop\n")
    base.write("rules/r.yaml", rule())
    base.write("triggers/t.yaml", "name: t\n")
    base.register()
    unload(base.store, ["demo"])
    for kind in ("pack", "action", "rule", "trigger_type", "trigger"):
        assert base.store.catalog.find_all(kind, {"ref" if kind == "pack" else "pack": "demo"}) == []
    assert webhook_triggers(base.store) == {}
    with pytest.raises(ValueError, match="Unregister includes an unregisterable pack - core"):
        unload(base.store, ["demo", "core"])
