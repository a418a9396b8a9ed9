from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sharing_samples import KEY, OTHER_KEY

from streams.errors import ConfigError
from streams.sdk.sharing.sharing_key import SharingKey


@given(st.sampled_from(["tls", "network", "account"]), st.text())
def test_an_id_is_the_hmac_that_the_extension_describes(kind: str, raw: str) -> None:
    message = b"distillwatch-sharing-1\x00" + kind.encode() + b"\x00" + raw.encode()
    expected = hmac.new(bytes(range(32)), message, hashlib.sha256).hexdigest()
    assert KEY.keyed(kind, raw) == expected
    assert OTHER_KEY.keyed(kind, raw) != expected


def test_equal_values_of_two_kinds_get_different_ids() -> None:
    assert KEY.keyed("tls", "a") != KEY.keyed("client", "a")


def test_a_key_is_read_from_a_file_of_hexadecimal_digits(tmp_path: Path) -> None:
    path = tmp_path / "sharing.key"
    path.write_text(bytes(range(32)).hex() + "\n")
    assert SharingKey.read(path).key_id == KEY.key_id
    assert OTHER_KEY.key_id != KEY.key_id


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"c0ffee", "has 3 bytes, fewer than 32"),
        (b"correct horse battery staple" * 3, "something else than hexadecimal digits"),
        (b"\xff\xfe" * 40, "something else than hexadecimal digits"),
        (None, "No such file"),
    ],
)
def test_a_bad_key_is_named_and_never_shown(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "sharing.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=told) as caught:
        SharingKey.read(path)
    assert "horse" not in str(caught.value)
    assert "c0ffee" not in str(caught.value)


def test_its_repr_holds_no_key() -> None:
    assert bytes(range(32)).hex() not in repr(KEY)
