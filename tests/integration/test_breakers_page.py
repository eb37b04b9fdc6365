"""The exporter's own pages about circuit breakers, while a dependency is away, with real time and real sockets."""

from __future__ import annotations

import pytest
from servers.exporter import Exporter, run_cli
from servers.process import free_port, wait_for
from servers.web import HANG, Reply, Web
from supercheck_exporter.config import ConfigError, load

LONG = 90.0
CANARY = "canary-0b7d"


def test_a_breaker_opens_while_another_hangs_and_a_third_is_well() -> None:
    """One outage in real time: what a gateway is told, what Prometheus sees; nobody waits for the one that hangs."""
    with Web(Reply(200)) as good, Web(HANG) as hung:
        env = {
            "DEPENDENCIES": f"good={good.url},hung={hung.url}/{CANARY},gone=http://127.0.0.1:{free_port()}/{CANARY}",
            "PROBE_INTERVAL_SECONDS": "1",
            "PROBE_TIMEOUT_SECONDS": "1",
        }
        with Exporter(env) as exporter:
            wait_for(lambda: exporter.get("/breakers/gone").status_code == 503, LONG, "the breaker is open")
            answer = exporter.get("/breakers/gone")
            assert answer.status_code == 503
            assert 0 < int(answer.headers["Retry-After"]) <= 30
            assert answer.headers["Cache-Control"] == "no-store"
            said = answer.json()
            assert (said["dependency"], said["state"], said["up"]) == ("gone", "open", False)
            assert said["retry_after_seconds"] == int(answer.headers["Retry-After"])

            samples = exporter.wait_value(1, "supercheck_circuit_breaker_state", LONG, dependency="hung", state="open")
            assert samples.value("supercheck_scrape_collector_success", collector="dependencies") == 1
            states = samples.values("supercheck_circuit_breaker_state", "state", dependency="gone")
            assert states == {"open": 1, "half_open": 0, "closed": 0}
            counts = samples.values(
                "supercheck_circuit_breaker_transitions_total", "to", dependency="gone", **{"from": "closed"}
            )
            assert counts == {"open": 1}
            assert samples.values("supercheck_dependency_up", "dependency") == {"good": 1, "hung": 0, "gone": 0}
            rejected = samples.value("supercheck_circuit_breaker_rejected_total", dependency="gone")
            assert rejected is not None
            assert rejected >= 2
            assert samples.value("supercheck_circuit_breaker_rejected_total", dependency="good") == 0
            histogram = samples.histogram("supercheck_dependency_probe_seconds", dependency="gone")
            assert histogram is not None
            assert histogram.count == 0

            assert exporter.get("/breakers/good").status_code == 200
            assert "Retry-After" not in exporter.get("/breakers/good").headers
            assert exporter.get("/breakers/nothing").status_code == 404
            assert exporter.get("/breakers/nothing").json()["dependencies"] == ["good", "hung", "gone"]
            every = {
                breaker["dependency"]: breaker["state"] for breaker in exporter.get("/breakers").json()["breakers"]
            }
            assert every.keys() == {"good", "hung", "gone"}
            assert every["good"] == "closed"
            page = exporter.page("/")
            assert "Dependency gone" in page
            assert CANARY not in page + samples.text + exporter.log() + answer.text
            probed = [asked.method for asked in good.asked]
    assert set(probed) == {"GET"}


def test_without_dependencies_there_is_none() -> None:
    with Exporter({"SUPERCHECK_APP_URL": f"http://127.0.0.1:{free_port()}"}) as exporter:
        assert exporter.get("/breakers").json() == {"breakers": []}
        assert exporter.get("/breakers/s3").status_code == 404
    done = run_cli("serve", "--collector", "dependencies", settings={"REDIS_HOST": "127.0.0.1"})
    assert "--collector dependencies needs S3_ENDPOINT, SMTP_HOST or DEPENDENCIES." in done.stdout


def test_check_tries_each() -> None:
    port = free_port()
    done = run_cli("check", settings={"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)})
    assert done.returncode == 2
    assert f"error: The dependency smtp fails: 127.0.0.1:{port} refuses the connection" in done.stdout
    assert "(SMTP_HOST, SMTP_PORT, SMTP_SECURE)." in done.stdout


@pytest.mark.parametrize(
    "value",
    [
        f"s3=https://{CANARY}.example",
        CANARY,
        f"thing=https://user:{CANARY}@thing.example",
        f"thing=ftp://{CANARY}",
        f"slack,slack=https://{CANARY}.example",
    ],
)
def test_settings_that_are_refused(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"DEPENDENCIES": value})
    (problem,) = caught.value.problems
    assert problem.startswith("DEPENDENCIES: read a value, allowed is slack, ")
    assert CANARY not in problem
