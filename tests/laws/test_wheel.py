"""What is in the wheel is what is in the folders, and it asks for no more than it says."""

import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.checkout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The distribution, built from the checkout."""
    made = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = made.glob("focusmate-*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    return Parser().parsestr(wheel.read(_inside(wheel, "METADATA")).decode())


def _inside(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return path


def _folders() -> dict[str, Path]:
    """Every import package of ours, as the folders have it."""
    found = [ROOT / "focusmate_core"]
    for shelf in ("adapters", "plugins"):
        found += [path for path in (ROOT / shelf).glob("focusmate_*") if path.is_dir()]
    return {path.name: path for path in found}


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _requirements(metadata: Message, extra: str | None) -> dict[str, str]:
    """Distribution → version bounds, of the core or of one extra."""
    found = {}
    for line in metadata.get_all("Requires-Dist", []):
        asked, _, marker = line.partition(";")
        named = re.search(r"extra == '([^']+)'", marker)
        if (named and named[1]) == extra:
            name, bounds = re.match(r"\s*([\w.-]+)(?:\[[^]]*\])?\s*(.*)", asked).groups()
            found[name] = bounds.strip()
    return found


def _shipped(wheel: zipfile.ZipFile) -> set[str]:
    return {path for path in wheel.namelist() if ".dist-info/" not in path}


def test_the_wheel_ships_every_package_that_has_a_folder(wheel):
    assert {path.partition("/")[0] for path in _shipped(wheel)} == set(_folders())


def test_the_wheel_ships_every_file_of_its_packages_and_nothing_else(wheel):
    assert _shipped(wheel) == set().union(*map(_files, _folders().values()))


def test_every_package_says_that_it_is_typed(wheel):
    assert {path for path in _shipped(wheel) if path.endswith("/py.typed")} == {
        f"{name}/py.typed" for name in _folders()
    }


def test_the_core_asks_for_attrs_cattrs_and_pluggy_only(metadata):
    assert set(_requirements(metadata, None)) == {"attrs", "cattrs", "pluggy"}


def test_every_requirement_is_bounded_from_below_and_above(metadata):
    calendar_only = {"tzdata"}  # new zone data is what one wants from it
    asked = {}
    for extra in [None, *metadata.get_all("Provides-Extra")]:
        asked |= _requirements(metadata, extra)
    unbounded = {
        name
        for name, bounds in asked.items()
        if ">=" not in bounds or ("<" not in bounds and name not in calendar_only)
    }
    assert unbounded - {"focusmate"} == set()


def test_every_extra_is_an_adapter_of_that_name_but_the_kit_for_testing(metadata):
    adapters = {
        path.name.removeprefix("focusmate_") for path in (ROOT / "adapters").glob("focusmate_*")
    }
    standard_library_only = {"system"}
    assert set(metadata.get_all("Provides-Extra")) == adapters - standard_library_only | {"testing"}


def test_the_licence_and_the_command_come_along(wheel, metadata):
    assert metadata["License-Expression"] == "MIT"
    assert b"MIT License" in wheel.read(_inside(wheel, "licenses/LICENSE"))
    assert (
        "focusmate = focusmate_server.cli:main"
        in wheel.read(_inside(wheel, "entry_points.txt")).decode()
    )


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_everything_by_hash_and_names_no_host(name):
    text = (ROOT / name).read_text()
    assert "://" not in text
    pins = re.split(r"\n(?=[a-z0-9])", text.split("\n", 2)[2])
    assert len(pins) > 30
    assert [pin for pin in pins if not re.search(r"^\S+==\S+.*\\\n    --hash=sha256:", pin)] == []
