"""What is said of a secret that came back: its form, and whether the site's key opens it."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from supercheck_backup.envelope import _project_key, judge

PROJECT = "7f9f0dd4-4c6d-4f0e-9d0b-0c6f1f6c4a11"
SITE_KEY = "0123456789abcdef" * 4


def seal(text: str, key: str = SITE_KEY, project: str = PROJECT) -> str:
    """A secret as Supercheck stores it."""
    iv = bytes(range(12))
    sealed = AESGCM(_project_key(key, project)).encrypt(iv, text.encode(), None)
    parts = {"iv": iv, "tag": sealed[-16:], "data": sealed[:-16]}
    envelope = {"v": 1} | {name: base64.b64encode(part).decode() for name, part in parts.items()}
    return "enc:v1:" + base64.b64encode(json.dumps(envelope).encode()).decode()


def envelope(**changed: object) -> str:
    content = json.loads(base64.b64decode(seal("x").removeprefix("enc:v1:"))) | changed
    return "enc:v1:" + base64.b64encode(json.dumps(content).encode()).decode()


def test_it_decrypts_with_the_site_s_key_in_hex_and_in_words() -> None:
    assert judge(seal("hush"), PROJECT, SITE_KEY) == "decrypts"
    words = "a sentence of more than thirty-two characters"
    assert judge(seal("hush", words), PROJECT, words) == "decrypts"


def test_another_key_and_another_project_do_not_open_it() -> None:
    assert judge(seal("hush"), PROJECT, "f" * 64) == "wrong key"
    assert judge(seal("hush"), "another project", SITE_KEY) == "wrong key"


def test_without_a_key_its_form_is_judged() -> None:
    assert judge(seal(""), PROJECT, None) == "well-formed"


def test_a_node_program_s_own_words() -> None:
    # made by Node's crypto module: createCipheriv("aes-128-gcm") with hkdfSync, for this key and project
    assert judge(NODE, PROJECT, SITE_KEY) == "decrypts"


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "enc:v1:",
        "enc:v1:%%%",
        "enc:v1:" + base64.b64encode(b"[]").decode(),
        "enc:v1:" + base64.b64encode(b"\xff").decode(),
        envelope(v=2),
        envelope(iv="AAAA"),
        envelope(tag="AAAA"),
        envelope(data=7),
        envelope(data="%"),
    ],
)
def test_what_is_not_an_envelope_is_malformed(value: str) -> None:
    assert judge(value, PROJECT, SITE_KEY) == "malformed"


NODE = (
    "enc:v1:eyJ2IjoxLCJpdiI6InVMNVdwcGQ1MGkvVXcxQU0iLCJ0YWciOiJmRGVvMFhjVytzWXBoZURhWU9VU3l3PT0iLCJkYXRhI"
    "joiekRVWUEyRSs2dDRPUXBOOSJ9"
)
