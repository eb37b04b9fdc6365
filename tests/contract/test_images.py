"""Every image is pinned in compose/images.yaml, and the Dockerfiles and the stand-ins follow it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
IMAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose/images.yaml").read_text(encoding="utf-8"))[
    "services"
]
FILES = [path for path in sorted((ROOT / "compose").glob("**/*.yaml")) if path.name != "images.yaml"]
COMPOSE_FILES = [path for path in FILES if re.search(r"^services:$", path.read_text(encoding="utf-8"), re.MULTILINE)]
STANDINS = sorted((ROOT / "compose/standins/images").glob("*.Dockerfile"))
# name:${SETTING:-a whole version, and what it is built on}
PINNED = re.compile(r"([a-z][a-z0-9./-]+):\$\{([A-Z_]+)_TAG:-(v?\d+\.\d+(?:\.\d+)?(?:-[a-z-]+)?)\}")


def base_images(image: dict[str, Any]) -> dict[str, str]:
    args: dict[str, str] = image.get("build", {}).get("args", {})
    return args


def names_of_services() -> list[tuple[str, str]]:
    return [
        (path.relative_to(ROOT).as_posix(), name)
        for path in COMPOSE_FILES
        for name in yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
    ]


@pytest.mark.parametrize(("path", "name"), names_of_services())
def test_a_service_takes_its_image_from_the_one_place(path: str, name: str) -> None:
    service = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))["services"][name]
    if "override" in path or ("image" not in service and "extends" not in service):
        assert "image" not in service, "an override changes somebody else's service, and not its image"
        return
    assert not {"image", "build"} & set(service)
    assert ((ROOT / path).parent / service["extends"]["file"]).resolve() == ROOT / "compose/images.yaml"
    assert service["extends"]["service"] in IMAGES


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_pinned_to_a_whole_version(name: str) -> None:
    image = IMAGES[name]["image"]
    pinned = PINNED.fullmatch(image)
    # the traces' files are no service of ours: Supercheck's compose runs them, beside this bundle
    assert pinned or (name == "instrumentation" and ":" not in image), image
    assert set(IMAGES[name]) <= {"image", "build"}
    assert all(PINNED.fullmatch(base) for base in base_images(IMAGES[name]).values())


@pytest.mark.parametrize("name", [name for name, image in IMAGES.items() if "build" in image])
def test_a_dockerfile_begins_with_what_is_pinned(name: str) -> None:
    build = IMAGES[name]["build"]
    context = ROOT / "compose" / build["context"]
    text = (context / build.get("dockerfile", "Dockerfile")).read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^ARG ([A-Z]+_IMAGE)=(\S+)$", text, re.MULTILINE))
    pinned = {arg: PINNED.sub(r"\1:\3", base) for arg, base in base_images(IMAGES[name]).items()}
    assert defaults == pinned
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert {re.sub(r"^\$\{(.*)\}$", r"\1", stage) for stage in stages} == set(pinned)


@pytest.mark.parametrize("path", STANDINS, ids=lambda path: path.stem)
def test_a_stand_in_stands_for_a_pinned_image(path: Path) -> None:
    every = {
        PINNED.sub(r"\1", text) for image in IMAGES.values() for text in [image["image"], *base_images(image).values()]
    }
    first = path.read_text(encoding="utf-8").splitlines()[0]
    stands = re.fullmatch(r"# stands for (\S+)( with [a-z ]+)?", first)
    assert stands is not None or path.stem == "debian"
    assert stands is None or stands[1] in every
