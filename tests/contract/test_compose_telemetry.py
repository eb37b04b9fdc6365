"""compose/telemetry.yaml: the collectors and the stores."""

from __future__ import annotations

from contract.compose_files import SERVICES, mounts


def test_the_log_s_driver_names_the_writer_of_a_line() -> None:
    for service in SERVICES.values():
        options = service["logging"]["options"]
        assert (options["labels"], options["tag"]) == ("com.docker.compose.service", "{{.Name}}")


def test_a_store_that_is_down_stops_no_collector() -> None:
    assert "depends_on" not in SERVICES["log-collector"]
    assert set(SERVICES["otel-collector"]["depends_on"]) == {"telemetry-volumes"}


def test_a_volume_is_its_service_s_before_that_starts() -> None:
    owner = SERVICES["telemetry-volumes"]
    given = {target: source for target, (source, _) in mounts(owner).items()}
    assert owner["command"] == list(given)
    assert "os.chown(path, 10001, 10001)" in owner["entrypoint"][-1]
    for name in given.values():
        assert SERVICES[name]["user"] == "10001:10001"
        assert SERVICES[name]["depends_on"]["telemetry-volumes"] == {"condition": "service_completed_successfully"}
