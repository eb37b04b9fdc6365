"""Numbers of Kubernetes' notation, and the account of a pod."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from supercheck_exporter.collectors.execution import quantity
from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.kubernetes import in_cluster


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4", 4), ("0", 0), ("500m", 0.5), ("1900m", 1.9), ("8Gi", 8 * 2**30), ("512Mi", 512 * 2**20), ("1Ki", 1024),
        ("100k", 100_000), ("2M", 2_000_000), ("1.5Gi", 1.5 * 2**30), (".5", 0.5), ("1e3", 1000), ("12E2", 1200),
        ("2E", 2e18), ("3Ei", 3 * 2**60), ("250u", 0.00025), (7, 7), ("-1", -1),
    ],
)  # fmt: skip
def test_a_quantity_in_its_base_unit(text: object, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", [None, "", "x", "1x", "1 Gi", "Gi", "1mi", "1e", "--1"])
def test_what_is_no_quantity_is_unknown(text: object) -> None:
    assert quantity(text) is None


def test_the_account_of_a_pod(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    (tmp_path / "ca.crt").write_bytes(trustme.CA().cert_pem.bytes())
    access = in_cluster(tmp_path, {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})
    assert access.server == "https://[fd00::1]:6443"
    assert access.headers == {"Authorization": "Bearer abc"}
    assert access.context is not None
    assert len(access.context.get_ca_certs()) == 1, "no authority of the system beside the cluster's own"
    (tmp_path / "token").unlink()
    with pytest.raises(SourceError, match="can't be read"):
        in_cluster(tmp_path, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
