"""How a person comes in and what the first start makes, as the compose files say it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest
from contract.compose_files import ROOT, SERVICES, mounts
from contract.test_compose import docker_compose
from supercheck_exporter.config import _is_secret
from supercheck_exporter.prepare import GENERATED, SITE_ENV
from supercheck_exporter.settings import Settings


def test_what_the_first_start_makes_is_there_before_its_readers() -> None:
    for name in ("exporter", "grafana"):
        assert SERVICES[name]["depends_on"]["secrets"] == {"condition": "service_completed_successfully"}
    assert SERVICES["secrets"]["network_mode"] == "none"
    # a person's files are read and never written; /dev/null: no .env of Supercheck was named
    made = mounts(SERVICES["secrets"])
    assert made["/given/grafana"] == ("./secrets/grafana", True)
    assert made["/given/site.env"] == ("/dev/null", True)
    image = (ROOT / "exporters/Dockerfile").read_text(encoding="utf-8")
    for name in GENERATED:
        folder, _, file = name.partition("/")
        assert f"/prepared/{folder}" in made
        assert f"/prepared/{folder}" in image, "the volume takes its rights from there"
        setting = f"GF_SECURITY_{file.upper()}__FILE"
        assert SERVICES[folder]["environment"][setting] == f"/run/secrets/{file}"
    assert mounts(SERVICES["exporter"])["/run/supercheck"] == ("exporter-secrets", True)
    assert SERVICES["exporter"]["environment"]["SUPERCHECK_ENV_FILE"] == f"/run/supercheck/{SITE_ENV}"


@pytest.mark.promise("nothing secret in docker inspect")
def test_no_secret_has_to_be_a_variable() -> None:
    """What compose hands on from a setting can be given as a file as well, or comes from Supercheck's own file."""
    secret = {name.upper() for name in Settings.model_fields if _is_secret(name)}
    for name in secret & set(SERVICES["exporter"]["environment"]):
        assert SERVICES["exporter"]["environment"][name] == "${" + name + ":-}"
        assert name in {"DATABASE_URL"} or f"{name}_FILE" in SERVICES["exporter"]["environment"], name


def test_the_front_is_told_every_setting_and_links_begin_with_its_address() -> None:
    start = (ROOT / "compose/front/start.sh").read_text(encoding="utf-8")
    read = dict(re.findall(r"\$\{((?:FRONT|PUBLIC)_[A-Z_]+):-([^}]*)\}", start))
    inside = {"FRONT_LISTEN", "FRONT_HEALTH", "FRONT_RESOLVER", "FRONT_REMEMBERED", "FRONT_CHECK_SECONDS"}
    inside |= {name for name in read if name.endswith("_FOLDER")}
    told = SERVICES["front"]["environment"]
    assert told == {name: f"${{{name}:-{default}}}" for name, default in read.items() if name not in inside}
    manual = (ROOT / "compose/front/README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in manual for name in (*told, "FRONT_PORT", "FRONT_ADDRESS"))
    assert SERVICES["front"]["profiles"] == ["front"], "only who asks for it gets it"
    dockerfile = (ROOT / "compose/front/Dockerfile").read_text(encoding="utf-8")
    assert f"\nUSER {SERVICES['front']['user']}\n" in dockerfile
    assert read["FRONT_STATE_FOLDER"] in mounts(SERVICES["front"])
    assert read["FRONT_STATE_FOLDER"] in dockerfile
    # the paths that nginx knows
    plan = resolved({"PUBLIC_URL": "https://o.example.com"})
    assert plan["grafana"]["environment"]["GF_SERVER_ROOT_URL"] == "https://o.example.com/grafana"
    assert plan["exporter"]["environment"]["GRAFANA_URL"] == "https://o.example.com/grafana"
    assert "--web.external-url=https://o.example.com/alertmanager" in plan["alertmanager"]["command"]
    assert resolved({})["grafana"]["environment"]["GF_SERVER_ROOT_URL"] == "http://127.0.0.1:3001"


def resolved(settings: dict[str, str]) -> dict[str, Any]:
    """The services as compose resolves them with these settings, those of profiles among them."""
    done = subprocess.run(
        [*docker_compose(), "-f", "compose/compose.yaml", "--profile", "*", "config", "--format", "json"],
        cwd=ROOT, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"], **settings},
    )  # fmt: skip
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services
