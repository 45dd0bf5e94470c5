"""Options: where they come from, who wins, and what a wrong value says."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from st2common.config import Config, load_config
from st2common.config.sample import EMBEDDED, PRODUCTION, samples
from st2common.exceptions import ConfigError

CONF = Path(__file__).resolve().parents[2] / "conf"


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_defaults__no_file_no_environment() -> None:
    config = load_config(environ={"ST2_CONFIG_PATH": "/dev/null"})
    assert (config.api.host, config.api.port, config.auth.port, config.stream.port) == ("127.0.0.1", 9101, 9100, 9102)
    assert config.auth.enable is True
    assert config.messaging.prefix == "st2"


def test_files__later_wins__then_directories_sorted__then_environment(tmp_path: Path) -> None:
    first = write(tmp_path / "first.conf", "[api]\nport = 1\nhost = 10.0.0.1\n[database]\ndb_name = one\n")
    second = write(tmp_path / "second.conf", "[api]\nport = 2\n")
    directory = tmp_path / "conf.d"
    directory.mkdir()
    write(directory / "20.conf", "[api]\nport = 20\n")
    write(directory / "10.conf", "[api]\nport = 10\n[log]\nlevel = DEBUG\n")
    write(directory / "99.ini", "[api]\nport = 99\n")
    assert load_config([first, second], environ={}).api.port == 2
    config = load_config([first, second], [str(directory)], environ={})
    assert (config.api.port, config.api.host, config.database.db_name, config.log.level) == (20, "10.0.0.1", "one", "DEBUG")
    assert load_config([first], [str(directory)], environ={"ST2_API__PORT": "7"}).api.port == 7
    assert [Path(name).name for name in config.files] == ["first.conf", "second.conf", "10.conf", "20.conf"]


def test_default_file__named_by_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path / "st2.conf", "[api]\nport = 5\n")
    assert load_config(environ={"ST2_CONFIG_PATH": path}).api.port == 5


@pytest.mark.parametrize(
    ("section", "line", "value"),
    [
        ("auth", "enable = no", False),
        ("auth", "enable = ON", True),
        ("auth", "enable = 0", False),
        ("scheduler", "execution_scheduling_timeout_threshold_min = 1.5", 1.5),
        ("api", "allow_origin = http://a:1, http://b:2,", ["http://a:1", "http://b:2"]),
        ("content", "index_url =", []),
        ("auth", 'backend_kwargs = {"file_path": "/a b#c"}', '{"file_path": "/a b#c"}'),
        ("garbagecollector", "traces_ttl = None", 0),
        ("database", "username = None", ""),
        ("messaging", "url = amqp://u:p%40x@h:5672//", "amqp://u:p%40x@h:5672//"),
    ],
)
def test_types__as_written_in_ini(tmp_path: Path, section: str, line: str, value: object) -> None:
    config = load_config([write(tmp_path / "a.conf", f"# comment\n[{section}]\n{line}\n")], environ={})
    assert getattr(getattr(config, section), line.partition("=")[0].strip()) == value


def test_old_names__still_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conf", "[timer]\nenable = False\n[database]\nssl = True\nssl_ca_certs = /ca.pem\n")
    config = load_config([path], environ={})
    assert (config.timersengine.enable, config.database.tls, config.database.tls_ca_file) == (False, True, "/ca.pem")


def test_unknown_options_and_sections__are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conf", "[api]\nlogging = /etc/st2/logging.api.conf\nfiles = x\n[workshop]\nx = 1\n[files]\nx = 1\n[api_url]\ny = 2\n")
    assert load_config([path], environ={"ST2_WORKSHOP__X": "1", "ST2_API_URL": "http://x", "ST2_API__NOPE": "1"}).files == [path]


@pytest.mark.parametrize(
    ("text", "environ", "names"),
    [
        ("[api]\nport = many\n", {}, ("a.conf", "[api] port", '"many"', "not a number")),
        ("[auth]\nenable = perhaps\n", {}, ("a.conf", "[auth] enable", '"perhaps"', "not a boolean")),
        ("", {"ST2_STREAM__PORT": "x1"}, ("ST2_STREAM__PORT", '"x1"', "not a number")),
        ("no section\n", {}, ("a.conf", "not valid")),
        ("[api\nport = 1\n", {}, ("a.conf", "not valid")),
    ],
)
def test_wrong_values__name_option_and_source(tmp_path: Path, text: str, environ: dict[str, str], names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config([write(tmp_path / "a.conf", text)], environ=environ)
    for name in names:
        assert name in str(caught.value)


def test_missing_file__is_named() -> None:
    with pytest.raises(ConfigError, match='cannot read configuration file "/does/not/exist.conf"'):
        load_config(["/does/not/exist.conf"], environ={})


def test_derived_paths_and_urls(tmp_path: Path) -> None:
    text = "[system]\nbase_path = /data\n[content]\npacks_base_paths = /a:/b:/data/packs\n[messaging]\ncluster_urls = amqp://1,amqp://2\n"
    config = load_config([write(tmp_path / "a.conf", text)], environ={})
    assert [str(path) for path in config.packs_paths] == ["/data/packs", "/a", "/b"]
    assert config.messaging_urls == ["amqp://1", "amqp://2"]
    assert config.database_url == "mongodb://127.0.0.1:27017"
    assert config.api_url == "http://127.0.0.1:9101"


@pytest.mark.parametrize("name", sorted(samples()))
def test_samples__are_up_to_date(name: str) -> None:
    assert (CONF / name).read_text() == samples()[name], "write them anew: make samples"


@pytest.mark.parametrize("name", sorted(samples()))
def test_samples__can_be_read_as_they_are(name: str) -> None:
    config = load_config([str(CONF / name)], environ={})
    values = PRODUCTION if name == "st2.conf.sample" else EMBEDDED
    assert config.system.base_path == values["system", "base_path"]


def test_samples__uncommented_are_the_defaults(tmp_path: Path) -> None:
    text = samples()["st2.conf.sample"]
    options = [line.removeprefix("# ") if line.startswith("# ") and " = " in line else line for line in text.splitlines()]
    kept = [line for line in options if line.startswith("[") or (" = " in line and not line.startswith("#") and "(" not in line)]
    config, plain = load_config([write(tmp_path / "all.conf", "\n".join(kept))], environ={}), Config()
    for section in fields(Config):
        model = getattr(plain, section.name)
        for item in fields(model) if is_dataclass(model) else ():
            if (section.name, item.name) not in PRODUCTION and (section.name, item.name) != ("system_user", "user"):
                assert getattr(getattr(config, section.name), item.name) == getattr(model, item.name), (section.name, item.name)
