"""Paths inside packs stay inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from st2api.pack_files import inside, pack_directory
from st2common.config import Config
from st2common.exceptions import Invalid


@pytest.mark.parametrize("relative", ["../x", "a/../../x", "/etc/passwd", "", ".", "a\0b", "link/x", "self/../../x"])
def test_what_leads_out_is_refused(tmp_path: Path, relative: str) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "link").symlink_to(tmp_path)
    with pytest.raises(Invalid):
        inside(pack, relative)


def test_what_stays_is_found(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    (pack / "actions").mkdir(parents=True)
    assert inside(pack, "actions/../actions/x.py") == pack / "actions" / "x.py"


def test_names_of_packs_are_names(tmp_path: Path) -> None:
    config = Config()
    config.system.base_path = str(tmp_path)
    (tmp_path / "packs" / "mine").mkdir(parents=True)
    assert pack_directory(config, "mine") == tmp_path / "packs" / "mine"
    for wrong in ("", ".", "..", "../packs", "a/b", "a\0", "none"):
        assert pack_directory(config, wrong) is None
