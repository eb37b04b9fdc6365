"""One Docker, one set of images and one bundle for all tests of this folder, which `make e2e` runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.bundle import ROOT, Bundle
from servers.docker_engine import DockerEngine, NoDocker

PROFILES = ("pgbouncer", "redis-cluster", "edge", "front")
# what can't be had here is left out by name
SETTINGS = {
    "GRAFANA_TARGET": "",
    "LOKI_TARGET": "",
    "TEMPO_TARGET": "",
    "EDGE_ACCESS_LOG": "/var/log/supercheck-edge/access.log",
    "DEMO_DATABASE_URL": "postgresql://supercheck_app:word@pgbouncer:6432/supercheck",
    "PGBOUNCER_URL_FILE": "/run/secrets/pgbouncer_url",
    "EXPORTER_DATABASE_URL": "",
    "EXPORTER_DATABASE_URL_FILE": "/run/secrets/database_url",
    "ALERT_PAGERDUTY_ROUTING_KEY_FILE": "/run/secrets/pagerduty_routing_key",
    "ALERT_PAGERDUTY_URL": "http://sink:8080/v2/enqueue",
    "ALERT_SLACK_WEBHOOK_URL_FILE": "/run/secrets/slack_webhook_url",
    "ALERT_DEADMAN_URL": "http://sink:8080/deadman",
}


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerEngine]:
    """Docker with the stand-ins for the images that no registry gives us."""
    try:
        with DockerEngine() as docker:
            docker.command([ROOT / "compose/standins/make.sh"], timeout=1500)
            yield docker
    except NoDocker as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def images(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Every image of ours, built from its Dockerfile; a bundle that is not started."""
    bundle = Bundle(engine, tmp_path_factory.mktemp("bundle"), PROFILES, SETTINGS)
    bundle.compose("--profile", "*", "build")
    return bundle


@pytest.fixture(scope="session")
def bundle(images: Bundle) -> Iterator[Bundle]:
    """The bundle, started and well: every lasting service is healthy, and what runs once has ended."""
    try:
        images.up()
        wanted = dict.fromkeys(images.lasting(), "healthy") | dict.fromkeys(images.once(), "exited (0)")
        images.wait_states(wanted | dict.fromkeys(images.unasked(), "running"))
        yield images
    finally:
        images.down()
