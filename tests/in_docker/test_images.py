"""Our images, built from their Dockerfiles: how large they are, and as whom they run."""

from __future__ import annotations

import json
import random
import subprocess
import zlib

import yaml
from servers.bundle import ROOT, Bundle
from servers.docker_engine import DockerEngine
from servers.process import wait_for

MEGABYTE = 1_000_000
MAX_EXPORTER = 150 * MEGABYTE


def image_of(images: Bundle, service: str) -> str:
    name: str = images.config()["services"][service]["image"]
    return name


def test_the_exporter_s_image_is_small(engine: DockerEngine, images: Bundle) -> None:
    """Compressed as a registry stores it. The stand-in of Python is larger than the slim image."""
    packer = zlib.compressobj(level=6)
    size = 0
    with subprocess.Popen(
        ["docker", "save", image_of(images, "exporter")], env=engine.env, stdout=subprocess.PIPE
    ) as saving:
        assert saving.stdout is not None
        while chunk := saving.stdout.read(1 << 20):
            size += len(packer.compress(chunk))
    assert saving.returncode == 0
    size += len(packer.flush())
    print(f"the exporter's image: {size / MEGABYTE:.0f} MB compressed")
    assert 10 * MEGABYTE < size < MAX_EXPORTER


def test_the_exporter_runs_as_any_user_and_writes_nothing(engine: DockerEngine, images: Bundle) -> None:
    user = random.randrange(100_000, 2_000_000)
    strict = ["--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]
    asked = "import os; print(os.getuid(), os.access('/', os.W_OK), os.access('/tmp', os.W_OK))"
    run = ["run", *strict, f"--user={user}:{user}", "--entrypoint=python", image_of(images, "exporter"), "-c", asked]
    assert engine.run(*run).stdout.split() == [str(user), "False", "False"]
    # it serves its page: what it can't reach is told there
    serve = [
        "run",
        "--detach",
        "--env=REDIS_HOST=127.0.0.1",
        *strict,
        f"--user={user}:{user}",
        image_of(images, "exporter"),
    ]
    name = engine.run(*serve).stdout.strip()
    try:
        ask = (
            "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9820/metrics', timeout=20).read().decode())"
        )

        def page() -> str:
            return engine.run("exec", name, "python", "-c", ask, check=False).stdout

        assert "supercheck_scrape_collector_success" in wait_for(page, 60, "the exporter's page")
    finally:
        engine.run("rm", "--force", name)


def test_the_preloaded_package_is_built_and_copied(engine: DockerEngine, images: Bundle) -> None:
    """No service of ours: Supercheck's compose runs it, with a volume that its containers mount."""
    pins = yaml.safe_load((ROOT / "compose/images.yaml").read_text(encoding="utf-8"))["services"]["instrumentation"]
    given = []
    for name, base in pins["build"]["args"].items():
        repository, pinned = base.split(":", 1)
        given.append(f"--build-arg={name}={repository}:{pinned.partition(':-')[2].rstrip('}')}")
    folder = images.folder / "otel-collector/instrumentation"
    engine.run("build", "--quiet", *given, "--tag", pins["image"], str(folder))
    shown = "sh -c 'rm -rf /otel/* && cp -R /package/. /otel/' && ls /otel /otel/node_modules/@opentelemetry"
    strict = ["--rm", "--read-only", "--cap-drop=ALL", "--tmpfs=/otel:mode=1777", "--network=none"]
    said = engine.run("run", *strict, pins["image"], "sh", "-c", shown).stdout
    assert {"register.cjs", "lib", "node_modules", "api"} <= set(said.split())


def test_no_image_carries_a_secret_in_its_layers_settings(engine: DockerEngine, images: Bundle) -> None:
    for service, one in images.config()["services"].items():
        if "build" in one:
            config = engine.inspect(one["image"])[0]["Config"]
            assert images.word not in json.dumps(config), service
            assert config["User"].split(":")[0].isdigit(), service
