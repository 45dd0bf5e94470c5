"""htpasswd files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from st2common.security.passwords import HtpasswdFile, is_weak_hash, verify_password

HASHES = [  # all of "pw", made by openssl and bcrypt
    "$apr1$VL3C9LLY$3ydmfhVocoJcZMg6X02mn/",
    "$5$JEvHGzz81tCnVpUV$G7NXBmSEruLGHTi4pxyXGNgh2IpdvWG0EG0xlC7oka4",
    "$6$xKb38LfP6weD43jX$73qvpuR8a5elbNpKjC8RHwkMEskUt4VlBUTckygdqoF55n6FLwhu91ieaNTHzAJACGZ/mD1R.rrR4XZ8ePWml0",
    "{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=",
    "$2y$04$d61LlfjRKgv4Z8Fzs40qzug7koDkcrRJ9W6.biFmZWppFm3WdVwYC",
]


@pytest.mark.parametrize("hashed", HASHES)
def test_known_hashes(hashed: str) -> None:
    assert verify_password("pw", hashed)
    assert not verify_password("pW", hashed)
    assert not verify_password("", hashed)
    assert not verify_password("p\x00w", hashed)


@pytest.mark.parametrize(
    "hashed", ["", "pw", "$", "$1$x$y", "$2y$", "$2y$99$x", "$5$", "$apr1$", "{SHA}", "{SSHA}x", "rl.3StKT.4T8M", "$6$rounds=x$a$b"]
)
def test_other_hashes_fit_nothing(hashed: str) -> None:
    for password in ("", "pw"):
        assert not verify_password(password, hashed)


def test_long_passwords() -> None:
    import bcrypt

    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert verify_password("x" * 100, hashed)


def test_weak_hashes_are_known() -> None:
    assert [is_weak_hash(hashed) for hashed in HASHES] == [True, False, False, True, False]


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    path.write_text(f"# users\n\njoe:{HASHES[3]}\nbroken line\n:nobody\n")
    users = HtpasswdFile(path)
    assert users.verify("joe", "pw")
    assert not users.verify("joe", "no")
    assert not users.verify("ann", "pw")
    assert not users.verify("", "pw")
    path.write_text(f"ann:{HASHES[3]}:more:fields\n")
    assert users.verify("ann", "pw")
    assert not users.verify("joe", "pw")
    replacement = tmp_path / "new"
    replacement.write_text(f"bob:{HASHES[3]}:more:fields\n")
    before = path.stat()
    os.utime(replacement, ns=(before.st_atime_ns, before.st_mtime_ns))
    replacement.replace(path)
    assert users.verify("bob", "pw")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        HtpasswdFile(tmp_path / "nope").verify("joe", "pw")
