"""Command line tools that need no server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from st2common.commands import generate_symmetric_crypto_key, pack_tools, validate_pack, validate_pack_config
from st2common.security.crypto import load_key
from st2common.store import Store

REPOSITORY = Path(__file__).resolve().parents[3]
MANIFEST = "name: demo\ndescription: d\nversion: 1.0.0\nauthor: a\nemail: a@example.com\n"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    directory = tmp_path / "packs" / "demo"
    (directory / "actions").mkdir(parents=True)
    (directory / "pack.yaml").write_text(MANIFEST)
    (directory / "actions" / "a.yaml").write_text("name: a\nrunner_type: noop\n")
    return directory


def test_validate_pack(pack: Path) -> None:
    good = CliRunner().invoke(validate_pack.main, ["-p", str(pack)])
    assert (good.exit_code, good.output) == (0, 'Pack "demo" is valid.\n')

    (pack / "actions" / "a.yaml").write_text("name: a\nrunner_type: noop\nname: b\n")
    (pack / "actions" / "b.yaml").write_text("name: b\nrunner_type: zzz\n")
    (pack / "pack.yaml").write_text(MANIFEST.replace("1.0.0", "1.0"))
    (pack / "config.schema.yaml").write_text("url: {type: strng}\n")
    bad = CliRunner().invoke(validate_pack.main, ["-p", str(pack)])
    assert bad.exit_code == 1
    lines = bad.output.splitlines()
    assert f'ERROR: found duplicate key "name", first on line 1 for file "a.yaml" at "{pack}/actions/a.yaml", line 3' in lines
    for part in ("RunnerType zzz is not found", 'Pack version "1.0" doesn\'t follow', f'"{pack}/config.schema.yaml", line 1'):
        assert part in bad.output
    assert CliRunner().invoke(validate_pack.main, ["-p", str(pack / "nowhere")]).exit_code == 2


def test_validate_pack_config(tmp_path: Path) -> None:
    schema, config = tmp_path / "config.schema.yaml", tmp_path / "demo.yaml"
    schema.write_text("url: {type: string, required: true}\n")
    config.write_text("url: http://x\n")
    arguments = ["--schema-path", str(schema), "--config-path", str(config)]
    good = CliRunner().invoke(validate_pack_config.main, arguments)
    assert good.exit_code == 0
    assert "successfully validated" in good.output
    config.write_text("url: 5\n")
    bad = CliRunner().invoke(validate_pack_config.main, arguments)
    assert bad.exit_code == 1
    assert 'Failed validating attribute "url" in config for pack "demo"' in bad.output


def test_generate_symmetric_crypto_key(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    assert CliRunner().invoke(generate_symmetric_crypto_key.main, ["-k", str(path)]).exit_code == 0
    content = json.loads(path.read_text())
    assert (content["mode"], content["size"], content["hmacKey"]["size"]) == ("CBC", 256, 256)
    assert path.stat().st_mode & 0o077 == 0
    key = load_key(path)
    assert key.decrypt(key.encrypt("text")) == "text"

    assert CliRunner().invoke(generate_symmetric_crypto_key.main, ["-k", str(path)]).exit_code == 2
    assert json.loads(path.read_text()) == content
    assert CliRunner().invoke(generate_symmetric_crypto_key.main, ["-k", str(path), "--force"]).exit_code == 0
    assert json.loads(path.read_text()) != content


@pytest.fixture
def config_file(tmp_path: Path, database_uri: str, store: Store) -> Path:
    file = tmp_path / "st2.conf"
    database = f"[database]\nhost = {database_uri}\ndb_name = {store.database.name}\n"
    # Nobody listens there: telling the services is a hint, and its failure no reason to fail.
    file.write_text(f"[system]\nbase_path = {tmp_path}\n{database}[messaging]\nurl = redis://127.0.0.1:9/0\n")
    return file


def register(config_file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "st2common.commands.register_content", "--config-file", str(config_file), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False
    )


def test_register_content(pack: Path, config_file: Path, store: Store) -> None:
    done = register(config_file, "--register-actions")
    assert done.returncode == 0, done.stderr
    assert "Registered 1 actions." in done.stderr
    assert "Registered 14 runners." in done.stderr
    assert [item.ref for item in store.catalog.find_all("action")] == ["demo.a"]
    assert store.catalog.by_ref("trigger_type", "core.st2.webhook") is not None

    (pack / "actions" / "0.yaml").write_text("name: [\n")
    failed = register(config_file, "--register-all")
    assert failed.returncode == 1
    assert 'Failed to register action "' in failed.stderr
    going_on = register(config_file, "--register-all", "--register-no-fail-on-failure")
    assert going_on.returncode == 0
    assert "0.yaml" in going_on.stderr
    assert store.catalog.by_ref("action", "demo.a") is not None


def test_register_one_pack(pack: Path, config_file: Path, store: Store, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "other"
    elsewhere.mkdir(parents=True)
    (elsewhere / "pack.yaml").write_text(MANIFEST.replace("demo", "other"))
    done = register(config_file, "--register-all", "--register-pack", str(elsewhere))
    assert done.returncode == 0, done.stderr
    assert [item.ref for item in store.catalog.find_all("pack")] == ["other"]
    missing = register(config_file, "--register-all", "--register-pack", str(tmp_path / "nowhere"))
    assert missing.returncode == 1
    assert "doesn't exist" in missing.stderr


def test_pack_tools(pack: Path, config_file: Path, tmp_path: Path) -> None:
    local = tmp_path / "sources" / "needs_another"
    local.mkdir(parents=True)
    other = tmp_path / "sources" / "another"
    other.mkdir()
    (local / "pack.yaml").write_text(MANIFEST.replace("demo", "needs_another") + f"dependencies: ['file://{other}']\n")
    (other / "pack.yaml").write_text(MANIFEST.replace("demo", "another"))
    config = ["--config-file", str(config_file)]
    done = CliRunner().invoke(pack_tools.download, [f"file://{local}", *config])
    assert (done.exit_code, done.stdout) == (0, "needs_another: Success.\n")
    assert not (tmp_path / "packs" / "another").exists()
    failed = CliRunner().invoke(pack_tools.download, [f"file://{tmp_path}/nowhere", *config])
    assert failed.exit_code == 1
    assert "Local pack directory" in failed.output
    done = CliRunner().invoke(pack_tools.install, [f"file://{local}", *config])
    assert done.exit_code == 0, done.output
    assert "Successfully set up virtualenv for the following packs: needs_another, another" in done.output
    assert (tmp_path / "virtualenvs" / "another" / "bin" / "python").exists()
