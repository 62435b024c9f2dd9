"""One secret a user, with which patient, study and series ids are hashed. It lies outside the data and never enters a table.

`MEDTF_SALT` (the secret itself), or the key file `salt` in `MEDTF_HOME` (default: ~/.config/medtf), made at first use.
"""

import contextlib
import hashlib
import os
import secrets
from functools import cache
from pathlib import Path

from medtf.errors import MedtfError


def key_file() -> Path:
    """Where the secret lies when `MEDTF_SALT` is not set."""
    base = os.environ.get("MEDTF_HOME") or os.path.join(os.environ.get("XDG_CONFIG_HOME") or "~/.config", "medtf")
    return Path(base).expanduser() / "salt"


def secret() -> bytes:
    """The secret, made at first use and readable by its owner alone."""
    given = os.environ.get("MEDTF_SALT")
    if given:
        return given.encode()
    path = key_file()
    if not path.exists():
        _make(path)
    key = path.read_bytes()
    if not key.strip():
        raise MedtfError(f"{path}: the key file is empty; restore it, or remove it if no table was made with it")
    return key


def _make(path: Path) -> None:
    """Written whole under another name, then linked: of two processes the first wins, and none reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _keyed(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def salt_id(key: bytes | None = None) -> str:
    """A name for the secret that does not tell it: tables of different salts cannot be compared."""
    return hashlib.blake2b(_keyed(key or secret()), digest_size=6, person=b"medtf-id").hexdigest()


def pseudonym(value: str, key: bytes) -> str:
    """Keyed hash of an id, 20 hexadecimal digits; an empty id stays empty.

    `00123` and `123` are one person: spreadsheets drop the zeros that PatientID (0010,0020) keeps.
    """
    if value.isdecimal():
        value = value.lstrip("0") or "0"
    return hashlib.blake2b(value.encode(), key=_keyed(key), digest_size=10).hexdigest() if value else ""
