"""compose.yaml promises: nothing runs as root, nothing is unbounded, nothing listens beyond this machine."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess

import pytest
import yaml
from contract.compose_files import COMPOSE, ROOT, SERVICES, TELEMETRY, mounts
from servers.process import missing
from supercheck_exporter.channels import SETTINGS

from compose.demo.programs import find

ONE_SHOT = {"config", "secrets", "telemetry-volumes"}
# their image holds nothing that could ask: Prometheus does, from outside
ASKED_FROM_OUTSIDE = {"otel-collector", "log-collector"}
LASTING = sorted(set(SERVICES) - ONE_SHOT - ASKED_FROM_OUTSIDE)
# who is root, and the one right that root has there
ROOT_WITH = {"telemetry-volumes": ["CHOWN"], "log-collector": ["DAC_READ_SEARCH"]}
# pages that a person opens
PUBLISHED = {"grafana": "3001", "edge": "8088", "front": "8443"}
HEALTH = {"exporter": "http://127.0.0.1:9820/-/", "alertmanager": "http://127.0.0.1:9093/-/"}
HEALTH |= {"prometheus": "http://127.0.0.1:9090/api/v1/query"}
HEALTH |= {"grafana": "http://127.0.0.1:3000/api/health", "pgbouncer": "pg_isready", "edge": "/_edge/health"}
HEALTH |= {"backup": "healthy", "front": "/healthy", "node-exporter": "http://127.0.0.1:9100/"}
HEALTH |= {"loki": "-health", "tempo": "-health", "jaeger": "http://127.0.0.1:13133/status"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    # the default, where it is a setting
    uid, gid = re.sub(r"^\$\{[A-Z_]+:-(.*)\}$", r"\1", service["user"]).split(":")
    assert (int(uid) == 0) == (int(gid) == 0) == (name in ROOT_WITH)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add") == ROOT_WITH.get(name)
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "devices"} & set(service)
    assert service.get("network_mode", "none") == "none"
    assert not any("docker.sock" in mount for mount in service.get("volumes", []))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"(\$\{[A-Z_]+:-)?\d+[mg]\}?", service["mem_limit"])
    assert service["pids_limit"] > 0
    assert service["logging"]["options"]["max-size"]
    assert service["logging"]["options"]["max-file"]
    # Docker's files are named by ids: their collector finds the service here
    assert service["logging"]["options"]["labels"] == "com.docker.compose.service"


@pytest.mark.parametrize("name", LASTING)
def test_a_service_is_started_again_and_its_health_is_asked(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    health = service["healthcheck"]
    assert health["test"][0] in ("CMD", "CMD-SHELL")
    assert any(HEALTH[name] in word for word in health["test"])
    assert {"interval", "timeout", "retries", "start_period"} <= set(health)


@pytest.mark.parametrize("name", SERVICES)
def test_only_pages_are_published_and_only_to_this_machine(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    if name not in PUBLISHED:
        assert not ports
        return
    assert len(ports) == 1
    inside = {"grafana": "3000", "edge": "8080"}.get(name, PUBLISHED[name])
    # the front is the way in for others
    address = r"\$\{FRONT_ADDRESS:-0\.0\.0\.0\}" if name == "front" else r"127\.0\.0\.1"
    assert re.fullmatch(rf"{address}:\$\{{[A-Z]+_PORT:-{PUBLISHED[name]}\}}:{inside}", ports[0])


def test_prometheus_keeps_a_bounded_time_and_size() -> None:
    command = " ".join(SERVICES["prometheus"]["command"])
    assert re.search(r"--storage\.tsdb\.retention\.time=\$\{PROMETHEUS_RETENTION_TIME:-\d+d\}", command)
    assert re.search(r"--storage\.tsdb\.retention\.size=\$\{PROMETHEUS_RETENTION_SIZE:-\d+GB\}", command)


def test_what_reads_the_host_reads_it_only_and_listens_to_prometheus_alone() -> None:
    service = SERVICES["node-exporter"]
    hosts = {
        source for one in SERVICES.values() for source, _ in mounts(one).values() if source in ("/", "/proc", "/sys")
    }
    assert hosts == {mounts(service)[inside][0] for inside in mounts(service)}
    assert all(read_only for _, read_only in mounts(service).values())
    assert service["networks"] == ["monitoring"]
    assert "--collector.disable-defaults" in service["command"]


def test_alertmanager_keeps_its_silences_for_a_bounded_time() -> None:
    service = SERVICES["alertmanager"]
    assert "--data.retention=120h" in service["command"]
    assert mounts(service)["/alertmanager"] == ("alertmanager", False)


def test_what_is_written_is_on_a_named_volume_and_configurations_have_one_writer() -> None:
    writable = {
        name: sorted(source for source, read_only in mounts(service).values() if not read_only)
        for name, service in SERVICES.items()
    }
    assert writable == {
        "secrets": ["exporter-secrets", "grafana-secrets"],
        "config": ["config", "pages"],
        "exporter": [],
        "prometheus": ["prometheus"],
        "alertmanager": ["alertmanager"],
        "grafana": ["grafana"],
        "pgbouncer": [],
        "edge": ["edge-cache", "edge-log"],
        "front": ["front"],
        "backup": ["backup"],
        "node-exporter": [],
        "telemetry-volumes": ["jaeger", "loki", "otel-collector", "tempo"],
        "otel-collector": ["otel-collector"],
        "log-collector": ["log-collector"],
        "loki": ["loki"],
        "tempo": ["tempo"],
        "jaeger": ["jaeger"],
    }
    made = {source for sources in writable.values() for source in sources}
    assert set(COMPOSE["volumes"]) | set(TELEMETRY["volumes"]) == made


def test_configurations_are_rendered_before_their_readers_start() -> None:
    assert SERVICES["config"]["command"] == ["render", "--out", "/config", "--pages", "/pages"]
    for name in ("prometheus", "alertmanager"):
        assert SERVICES[name]["depends_on"] == {"config": {"condition": "service_completed_successfully"}}
        source, read_only = mounts(SERVICES[name])["/config"]
        assert (source, read_only) == ("config", True)
    # the exporter must start, and say what is wrong, whatever the state of the others
    assert set(SERVICES["exporter"]["depends_on"]) == {"secrets"}


def test_grafana_shows_every_dashboard_and_nothing_else() -> None:
    shown = {source for source, _ in mounts(SERVICES["grafana"]).values() if source.startswith("../dashboards/")}
    assert shown == {f"../dashboards/{path.name}" for path in (ROOT / "dashboards").glob("*.json")}
    folder = ROOT / "compose/grafana/provisioning"
    provider = yaml.safe_load((folder / "dashboards/dashboards.yaml").read_text(encoding="utf-8"))["providers"][0]
    assert provider["options"]["path"] == "/dashboards"
    assert (provider["allowUiUpdates"], provider["disableDeletion"]) == (False, True)


def test_grafana_has_no_anonymous_user() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"


def test_secrets_reach_only_their_reader() -> None:
    seen = {name: mounts(service).get("/run/secrets") for name, service in SERVICES.items()}
    assert seen == {
        "secrets": None,
        "config": ("./secrets/alertmanager", True),
        "exporter": ("./secrets/exporter", True),
        "prometheus": None,
        "alertmanager": ("./secrets/alertmanager", True),
        "grafana": ("grafana-secrets", True),
        "pgbouncer": ("./secrets/pgbouncer", True),
        "edge": ("./secrets/edge", True),
        "front": ("./secrets/front", True),
        "backup": ("./secrets/backup", True),
        "node-exporter": None,
    } | dict.fromkeys(TELEMETRY["services"])


def test_supercheck_is_reached_on_its_own_network_by_those_who_talk_to_it() -> None:
    assert COMPOSE["networks"]["supercheck"] == {
        "external": "${SUPERCHECK_NETWORK_EXTERNAL:-true}",
        "name": "${SUPERCHECK_NETWORK:-supercheck_supercheck-network}",
    }
    assert [name for name, service in SERVICES.items() if "supercheck" in service.get("networks", ())] == [
        "exporter",
        "pgbouncer",
        "edge",
        "backup",
        "otel-collector",
    ]


def test_the_parts_talk_in_a_network_without_a_way_in_or_out() -> None:
    assert COMPOSE["networks"]["monitoring"] == {"internal": True}
    ways = {name: set(service.get("networks", ())) - {"monitoring"} for name, service in SERVICES.items()}
    assert {name for name, networks in ways.items() if "outside" in networks} == {"alertmanager", "front", "grafana"}
    assert all(networks <= {"outside", "supercheck"} for networks in ways.values())
    assert ways["prometheus"] == set()


def test_supercheck_s_own_names_reach_the_exporter() -> None:
    environment = SERVICES["exporter"]["environment"]
    for name in (
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_USERNAME",
        "REDIS_PASSWORD",
        "REDIS_TLS_ENABLED",
        "REDIS_TLS_REJECT_UNAUTHORIZED",
    ):
        assert environment[name].startswith("${" + name + ":-")


def test_no_secret_stands_in_the_files_and_git_ignores_the_real_ones() -> None:
    ignored = (ROOT / "compose/secrets/.gitignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    kept = {path.name for path in (ROOT / "compose/secrets").glob("*/*.example")}
    assert kept == {
        "admin_password.example",
        "redis_password.example",
        "pagerduty_routing_key.example",
        "users.txt.example",
        "key.example",
    }
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name and not name.endswith("__FILE"):
                assert value == "${" + name + ":-}"


def test_the_secrets_manual_names_every_secret_file() -> None:
    manual = (ROOT / "compose/secrets/README.md").read_text(encoding="utf-8")
    for setting in SETTINGS:
        if setting.endswith("_FILE"):
            name = setting.removeprefix("ALERT_").removesuffix("_FILE").lower()
            assert f"`alertmanager/{name}` | `{setting}=/run/secrets/{name}`" in manual


def test_the_image_s_packages_are_those_that_are_tested() -> None:
    def pins(path: str) -> dict[str, str]:
        text = (ROOT / path).read_text(encoding="utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))

    tested, shipped = pins("requirements.lock"), pins("exporters/requirements.lock")
    assert shipped
    assert shipped.items() <= tested.items()


@pytest.mark.parametrize("path", ["requirements.lock", "exporters/requirements.lock"])
def test_a_lock_file_has_hashes_and_no_address(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    requirements = re.split(r"\n(?=[a-z0-9])", "\n" + re.sub(r"(?m)^\s*#.*\n", "", text))
    for requirement in filter(str.strip, requirements):
        assert "--hash=sha256:" in requirement, requirement


def test_the_image_runs_as_the_user_of_compose() -> None:
    dockerfile = (ROOT / "exporters/Dockerfile").read_text(encoding="utf-8")
    assert f"\nUSER {SERVICES['exporter']['user']}\n" in dockerfile
    assert "\nHEALTHCHECK " in dockerfile
    assert "--require-hashes" in dockerfile


def ini(path: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.read_string((ROOT / path).read_text(encoding="utf-8"))
    return parser


def test_pgbouncer_leaves_connections_free_and_takes_a_thousand_clients() -> None:
    settings = ini("compose/pgbouncer/pgbouncer.ini")["pgbouncer"]
    assert settings["pool_mode"] == "transaction"
    assert int(settings["default_pool_size"]) == int(settings["max_db_connections"]) == 80
    clients = int(settings["max_client_conn"])
    assert clients >= 1000
    assert SERVICES["pgbouncer"]["ulimits"]["nofile"] > clients + 80 + 100
    # with `options` ignored the exporter could not tell a pooler from the server at its login
    assert "options" not in settings["ignore_startup_parameters"]
    assert "admin_users" not in settings
    assert SERVICES["pgbouncer"]["profiles"] == ["pgbouncer"], "only who asks for it gets it"


def test_the_traces_override_adds_a_preload_and_keeps_the_rest() -> None:
    folder = ROOT / "otel-collector/instrumentation"
    services = yaml.safe_load((folder / "supercheck.override.yaml").read_text(encoding="utf-8"))["services"]
    assert set(services) == {"app", "worker", "instrumentation"}
    for name in ("app", "worker"):
        environment = services[name]["environment"]
        assert environment["OTEL_SERVICE_NAME"] == f"supercheck-{name}"
        assert "--require /otel/register.cjs" in environment["NODE_OPTIONS"]
        assert services[name]["volumes"] == ["supercheck-instrumentation:/otel:ro"]
    # the app's image sets a heap of its own, which an override of the variable would lose
    assert "--max-old-space-size=4096" in services["app"]["environment"]["NODE_OPTIONS"]
    copied = (folder / "Dockerfile").read_text(encoding="utf-8")
    assert {"register.cjs", "lib"} <= set(re.findall(r"^COPY (\S+) \./", copied, re.MULTILINE))


def test_the_override_changes_where_supercheck_connects_and_nothing_else() -> None:
    override = yaml.safe_load((ROOT / "compose/pgbouncer/supercheck.override.yaml").read_text(encoding="utf-8"))
    assert set(override) == {"services"}
    assert set(override["services"]) == {"app", "worker"}
    for service in override["services"].values():
        assert set(service) == {"environment"}
        (name,) = service["environment"]
        assert name == "DATABASE_URL"
        assert service["environment"][name].startswith("${PGBOUNCER_DATABASE_URL:?"), "unset is said, not guessed"


def test_the_edge_is_told_every_setting_and_its_image_is_what_it_starts() -> None:
    start = (ROOT / "compose/edge/start.sh").read_text(encoding="utf-8")
    read = dict(re.findall(r"\$\{(EDGE_[A-Z_]+):-([^}]*)\}", start))
    inside = {"EDGE_LISTEN", "EDGE_LOG_CHECK_SECONDS", *(name for name in read if name.endswith("_FOLDER"))}
    told = SERVICES["edge"]["environment"]
    assert told == {name: f"${{{name}:-{default}}}" for name, default in read.items() if name not in inside}
    manual = (ROOT / "compose/edge/README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in manual for name in told)
    assert SERVICES["edge"]["profiles"] == ["edge"], "only who asks for it gets it"
    dockerfile = (ROOT / "compose/edge/Dockerfile").read_text(encoding="utf-8")
    assert f"\nUSER {SERVICES['edge']['user']}\n" in dockerfile
    for name in ("EDGE_CACHE_FOLDER", "EDGE_LOG_FOLDER"):
        assert read[name] in mounts(SERVICES["edge"])
        assert f"chown {SERVICES['edge']['user']}" in dockerfile
        assert read[name] in dockerfile
    assert mounts(SERVICES["exporter"])[read["EDGE_LOG_FOLDER"]] == ("edge-log", True)


def docker_compose() -> list[str]:
    """Docker's compose: the plugin that `make tools` built, which runs by itself, or the one that docker has."""
    built = find("docker-compose")
    if built is not None:
        return [str(built)]
    asked = ["docker", "compose", "version"]
    has = shutil.which("docker") and not subprocess.run(asked, capture_output=True, check=False).returncode
    return asked[:2] if has else missing("docker's compose plugin (make tools)")


def test_docker_compose_takes_the_files() -> None:
    done = subprocess.run(
        [*docker_compose(), "-f", "compose/compose.yaml", "--profile", "*", "config", "--quiet"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
