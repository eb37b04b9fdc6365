"""Whether a secret that was restored can still be read: Supercheck's own encryption, looked at and never shown.

A secret is `enc:v1:` and base64 of a JSON object with iv (12 bytes), tag (16 bytes) and data, each in base64 again:
AES-128-GCM with a key that HKDF-SHA256 makes of SECRET_ENCRYPTION_KEY, for each project one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "enc:v1:"
IV_BYTES, TAG_BYTES, KEY_BYTES, BASE_BYTES = 12, 16, 16, 32
_INFO = b"supercheck:secret:v1"

Verdict = Literal["malformed", "well-formed", "decrypts", "wrong key"]


def judge(value: str, project: str, key: str | None) -> Verdict:
    """What can be said of one secret, by its form alone where no key is given."""
    parts = _parts(value)
    if parts is None:
        return "malformed"
    if key is None:
        return "well-formed"
    iv, tag, data = parts
    try:
        AESGCM(_project_key(key, project)).decrypt(iv, data + tag, None)
    except InvalidTag:
        return "wrong key"
    return "decrypts"


def _parts(value: str) -> tuple[bytes, bytes, bytes] | None:
    if not value.startswith(PREFIX):
        return None
    try:
        envelope = json.loads(base64.b64decode(value.removeprefix(PREFIX), validate=True))
        iv, tag, data = (base64.b64decode(envelope[name], validate=True) for name in ("iv", "tag", "data"))
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
    if envelope.get("v") != 1 or len(iv) != IV_BYTES or len(tag) != TAG_BYTES:
        return None
    return iv, tag, data


def _project_key(key: str, project: str) -> bytes:
    in_hex = len(key) >= 2 * BASE_BYTES and re.fullmatch(r"[0-9a-fA-F]+", key)
    base = bytes.fromhex(key[: 2 * BASE_BYTES]) if in_hex else key.encode()[:BASE_BYTES]
    salt = hashlib.sha256(project.encode()).digest()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_INFO).derive(base)
