"""One secret a user: made once, readable by its owner, never told."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from medtf import salt
from medtf.errors import MedtfError


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.delenv("MEDTF_SALT")
    monkeypatch.setenv("MEDTF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_key_file_is_made_once_for_its_owner_alone(home):
    key = salt.secret()
    assert len(key) == 64
    assert salt.secret() == key
    assert stat.S_IMODE((home / "salt").stat().st_mode) == 0o600
    assert [p.name for p in home.iterdir()] == ["salt"]
    (home / "salt").unlink()
    assert salt.secret() != key


def test_the_environment_wins(home, monkeypatch):
    monkeypatch.setenv("MEDTF_SALT", "mine")
    assert salt.secret() == b"mine"
    assert not home.exists()


def test_two_at_once_get_one_key(home):
    for _ in range(20):
        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(lambda _: salt.secret(), range(8)))
        assert len(keys) == 1
        assert keys.pop()
        (home / "salt").unlink()


def test_an_empty_key_file_is_refused(home):
    home.mkdir()
    (home / "salt").write_bytes(b"\n")
    with pytest.raises(MedtfError, match="salt: the key file is empty; restore it"):
        salt.secret()


def test_pseudonyms_and_the_salts_name():
    one, other = salt.pseudonym("P-1", b"a"), salt.pseudonym("P-1", b"b")
    assert len(one) == 20
    assert one == salt.pseudonym("P-1", b"a") != other
    assert salt.pseudonym("P-2", b"a") != one
    assert salt.pseudonym("", b"a") == ""
    assert salt.pseudonym("00123", b"a") == salt.pseudonym("123", b"a") != salt.pseudonym("1230", b"a")
    assert salt.pseudonym("000", b"a") == salt.pseudonym("0", b"a") != ""
    assert salt.pseudonym("x", b"k" * 500)  # longer than blake2's key
    assert salt.salt_id(b"a") != salt.salt_id(b"b")
    assert "secret-word" not in salt.salt_id(b"secret-word")
