"""Fetching, preparing and removing packs: real git repositories, a real index server, a real virtualenv."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from st2common.config import Config
from st2common.exceptions import Invalid
from st2common.packs import git
from st2common.packs.dependencies import examine
from st2common.packs.index import fetch_index, health
from st2common.packs.installer import Installer
from st2common.packs.source import resolve_source
from st2common.packs.versions import PRODUCT_VERSION, satisfies


def manifest(ref: str, version: str = "1.0.0", **more: Any) -> str:
    return json.dumps({"name": ref, "ref": ref, "description": "d", "version": version, "author": "a", "email": "a@example.com", **more})


class Repository:
    """A git repository with one pack."""

    def __init__(self, path: Path, ref: str = "demo") -> None:
        self.path = path
        self.ref = ref
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("1.0.0", tag="v1.0.0")

    @property
    def url(self) -> str:
        return f"file://{self.path}/.git"

    def git(self, *arguments: str) -> str:
        environment = {**os.environ, **{f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}
        return subprocess.run(["git", *arguments], cwd=self.path, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, version: str, *, tag: str | None = None, **more: Any) -> str:
        (self.path / "pack.yaml").write_text(manifest(self.ref, version, **more))
        (self.path / "actions").mkdir(exist_ok=True)
        (self.path / "actions" / "run.sh").write_text("#!/bin/sh\n")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", version)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")


class Index:
    """An HTTP server for pack indexes: path -> body."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = bodies.get(self.path)
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write((body or "").encode())

            def log_message(self, *arguments: Any) -> None:
                """Keep the tests quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, path: str, content: Any) -> str:
        self.bodies[path] = content if isinstance(content, str) else json.dumps(content)
        return f"http://127.0.0.1:{self.server.server_port}{path}"


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def installer(tmp_path: Path) -> Installer:
    config = Config()
    config.system.base_path = str(tmp_path / "st2")
    config.content.pack_group = ""
    config.content.index_url = []
    return Installer(config)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repositories" / "stackstorm-demo")


def installed_version(installer: Installer, pack: str = "demo") -> str:
    return json.loads((installer.packs_path / pack / "pack.yaml").read_text())["version"]


# -- versions


def test_versions_of_a_repository(installer: Installer, repository: Repository) -> None:
    second = repository.commit("2.0.0", tag="v2.0.0")
    repository.git("checkout", "--quiet", "-b", "next")
    repository.commit("3.0.0-dev")
    repository.git("checkout", "--quiet", "main")
    repository.commit("2.1.0")
    expected = {"": "2.1.0", "=main": "2.1.0", "=1.0.0": "1.0.0", "=v1.0.0": "1.0.0", "=next": "3.0.0-dev", f"={second[:10]}": "2.0.0"}
    for suffix, version in expected.items():
        (outcome,) = installer.download([repository.url + suffix])
        assert (outcome.name, outcome.success, outcome.message) == ("demo", True, "Success.")
        assert installed_version(installer) == version, suffix


def test_unknown_version_lists_the_others(installer: Installer, repository: Repository) -> None:
    repository.commit("1.1.0", tag="v1.1.0")
    with pytest.raises(Invalid) as caught:
        installer.download([f"{repository.url}=9.9.9"])
    wanted = f'"9.9.9" is not a valid version, hash, tag or branch in {repository.url}. Available versions are: 1.0.0, 1.1.0.'
    assert caught.value.message == wanted
    assert not (installer.packs_path / "demo").exists()


def test_options_of_git_cannot_be_smuggled_in(installer: Installer, repository: Repository) -> None:
    with pytest.raises(Invalid):
        installer.download([f"{repository.url}=--detach"])
    with pytest.raises(Invalid):
        git.clone("--upload-pack=touch /tmp/x", installer.packs_path / "x", None)


# -- download


def test_local_directory(installer: Installer, tmp_path: Path) -> None:
    source = tmp_path / "local"
    (source / "actions").mkdir(parents=True)
    (source / "pack.yaml").write_text(manifest("local_pack"))
    (outcome,) = installer.download([f"file://{source}"])
    assert outcome.name == "local_pack"
    assert (installer.packs_path / "local_pack" / "actions").stat().st_mode & 0o777 == 0o775
    with pytest.raises(Invalid, match=f'Local pack directory "{tmp_path}/nowhere" doesn\'t exist'):
        installer.download([f"file://{tmp_path}/nowhere"])


def test_the_old_pack_is_replaced_as_a_whole(installer: Installer, repository: Repository) -> None:
    installer.download([repository.url])
    (installer.packs_path / "demo" / "left_over").write_text("")
    installer.download([repository.url])
    assert not (installer.packs_path / "demo" / "left_over").exists()
    assert [entry.name for entry in installer.packs_path.iterdir()] == ["demo"]


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        (
            {"stackstorm_version": ">=9.0.0"},
            f'Pack "demo" requires StackStorm ">=9.0.0", but current version is "{PRODUCT_VERSION}". You can override',
        ),
        ({"python_versions": ["2"]}, 'Pack "demo" requires Python 2.x, but current Python version is "3.'),
    ],
)
def test_requirements(installer: Installer, repository: Repository, requirement: dict[str, Any], message: str) -> None:
    repository.commit("2.0.0", **requirement)
    with pytest.raises(Invalid) as caught:
        installer.download([repository.url])
    assert caught.value.message.startswith(message)
    (outcome,) = installer.download([repository.url], force=True)
    assert outcome.success


def test_bad_manifests(installer: Installer, tmp_path: Path) -> None:
    source = tmp_path / "bad"
    source.mkdir()
    with pytest.raises(Invalid, match=r"missing pack\.yaml"):
        installer.download([f"file://{source}"])
    (source / "pack.yaml").write_text(manifest("not-fit"))
    with pytest.raises(Invalid, match="can only contain valid word characters"):
        installer.download([f"file://{source}"])


def test_delete(installer: Installer, repository: Repository) -> None:
    installer.download([repository.url])
    with pytest.raises(ValueError, match="Uninstall includes an uninstallable pack - core"):
        installer.delete(["demo", "core"])
    with pytest.raises(ValueError, match="not a name of a pack"):
        installer.delete(["../demo"])
    assert (installer.packs_path / "demo").exists()
    installer.delete(["demo"])
    assert not (installer.packs_path / "demo").exists()


def test_git_status(installer: Installer, repository: Repository, tmp_path: Path) -> None:
    installer.download([repository.url])
    assert "nothing to commit" in (git.status(installer.find("demo")) or "")
    assert git.status(tmp_path) is None


# -- index


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "ref": name, "repo_url": f"https://example.com/{name}", "version": "1.0.0", "description": "", "keywords": [], **more}


def test_earlier_indexes_override_later_ones(index: Index) -> None:
    first = index.serve("/1", {"packs": {"a": entry("a", version="2.0.0")}})
    second = index.serve("/2", {"packs": {"a": entry("a"), "b": entry("b")}})
    found = fetch_index([first, second])
    assert found.packs["a"]["version"] == "2.0.0"
    assert set(found.packs) == {"a", "b"}
    assert [status.message for status in found.statuses] == ["Success.", "Success."]


def test_states_of_indexes(index: Index) -> None:
    good = index.serve("/good", {"packs": {"a": entry("a")}})
    bad = [index.serve("/json", "{"), index.serve("/list", []), index.serve("/other", {"x": 1}), index.serve("/empty", {})]
    missing, closed = good.replace("/good", "/missing"), "http://127.0.0.1:9/x"
    found = fetch_index([good, *bad, missing, closed])
    errors = {status.url: status.error for status in found.statuses}
    assert errors == {
        good: None, bad[0]: "malformed", bad[1]: "malformed", bad[2]: "malformed", bad[3]: "empty", missing: "other errors", closed: "unresponsive",
    }  # fmt: skip
    summary = health(found.statuses, len(found.packs))
    assert summary["indexes"]["errors"] == {"malformed": 3, "empty": 1, "other errors": 1, "unresponsive": 1}
    assert (summary["indexes"]["valid"], summary["indexes"]["invalid"], summary["packs"]["count"]) == (1, 6, 1)
    with pytest.raises(Invalid, match="No results from the indexes: tried"):
        fetch_index([bad[0], closed])


def test_search(index: Index) -> None:
    packs = [
        entry("mail", description="talks to servers"),
        entry("x", keywords=["mail"]),
        entry("y", author="mail man"),
        entry("z", email="a@mail.com"),
    ]
    found = fetch_index([index.serve("/1", {"packs": {item["name"]: item for item in reversed(packs)}})])
    assert [item["name"] for item in found.search("mail")] == ["mail", "x", "y"]
    assert found.search("nothing of that") == []


def test_packs_by_name(index: Index, installer: Installer, repository: Repository) -> None:
    installer._config.content.index_url = [index.serve("/1", {"packs": {"demo": entry("demo", repo_url=repository.url)}})]
    unknown, known = installer.download(["nope", "demo"])
    assert (unknown.success, unknown.message) == (False, 'Failure : No record of the "nope" pack in the index.')
    assert known.success


@pytest.mark.parametrize(
    ("argument", "url", "version"),
    [
        ("mail", "https://example.com/mail", "1.0.0"),
        ("mail=0.9.0", "https://example.com/mail", "0.9.0"),
        ("org/repo", "https://github.com/org/repo", None),
        ("org/repo=v1", "https://github.com/org/repo", "v1"),
        ("https://example.com/a/b.git", "https://example.com/a/b.git", None),
        ("git@example.com:a/b.git=dev", "git@example.com:a/b.git", "dev"),
        ("gitlab@example.com:a/b", "gitlab@example.com:a/b", None),
        ("file:///a/b", "file:///a/b", None),
    ],
)
def test_install_arguments(argument: str, url: str, version: str | None) -> None:
    source = resolve_source(argument, lambda name: entry(name))
    assert (source.url, source.version) == (url, version)
    assert source.directory == ("/a/b" if argument == "file:///a/b" else None)


@pytest.mark.parametrize(
    ("specification", "fits"), [(">=3.0.0, <4.0.0", True), ("=3.10.0", True), (">3.10.0", False), ("<=3.10.0", True), (">=3.11.0", False)]
)
def test_specifications(specification: str, fits: bool) -> None:
    assert satisfies("3.10.0", specification) is fits


# -- dependencies and virtualenvs


def test_dependencies(installer: Installer, tmp_path: Path) -> None:
    for ref, version, dependencies in (
        ("top", "1.0.0", ["absent", "there", "there=2.0.0", "there=v1.5.0", "https://example.com/stackstorm-there.git=1.5.0", "org/other=1.0.0"]),
        ("there", "1.5.0", []),
    ):
        source = tmp_path / ref
        source.mkdir()
        (source / "pack.yaml").write_text(manifest(ref, version, dependencies=dependencies))
        installer.download([f"file://{source}"])
    found = examine(["top"], installer.packs_path)
    assert found.missing == ["absent", "org/other=1.0.0"]
    assert found.conflicts == ["there=2.0.0"]


def test_virtualenv(installer: Installer, repository: Repository, tmp_path: Path) -> None:
    installer.download([repository.url])
    assert installer.setup_virtualenvs(["core"]) == ["core"]
    assert not (installer._config.virtualenvs_path / "core").exists()
    assert installer.setup_virtualenvs(["demo"]) == ["demo"]
    python = installer._config.virtualenvs_path / "demo" / "bin" / "python"
    program = "import sys, six; from st2common.runners.base_action import Action; print(sys.prefix)"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.stderr, done.stdout.strip()) == ("", str(installer._config.virtualenvs_path / "demo"))

    (installer.packs_path / "demo" / "requirements.txt").write_text("/nowhere/at/all.whl\n")
    with pytest.raises(Invalid, match=r'Failed to install requirements from ".*requirements\.txt": .*stderr: '):
        installer.setup_virtualenvs(["demo"], update=True)
    installer.delete(["demo"])
    assert not python.exists()
    with pytest.raises(Invalid, match='Pack "demo" is not installed'):
        installer.setup_virtualenvs(["demo"])
