"""What core, features, adapters and plugins may import and name, and how long they may be."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
CORE = "focusmate_core"
KIT = "focusmate_core.testing"
FEATURES = "focusmate_core.features"
ADAPTERS = (
    "focusmate_falcon",
    "focusmate_limits",
    "focusmate_security",
    "focusmate_server",
    "focusmate_sqlalchemy",
    "focusmate_system",
    "focusmate_trio",
)

# Whoever adds to this says that the module does no I/O, starts nothing and reads neither clock nor
# dice. What it offers beyond that stands under FORBIDDEN.
PURE = {
    "__future__",
    "attrs",
    "base64",
    "binascii",
    "cattrs",
    "collections",
    "contextlib",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "inspect",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "pluggy",
    "re",
    "types",
    "typing",
    "unicodedata",
    "uuid",
    "zoneinfo",
}
EXCEPTIONS = {
    # Strangers' plugins are found by their entry points.
    "focusmate_core.plugins": {"importlib"},
}
KIT_ONLY = {"concurrent", "hypothesis", "pytest", "random", "threading", "trio"}
FORBIDDEN = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid4", "uuid1"}
BUILTINS = {"open", "print", "input", "breakpoint", "eval", "exec"}

# What the decorators mark is the engine's to call.
MARKS = {
    "applies",
    "contributes",
    "handler",
    "knows",
    "prepares",
    "reacts",
    "settles",
    "snapshot",
    "subscriber",
    "sweeps",
    "upcasts",
    "vouches",
    "watches",
}
# What strangers may import of ours; the rest may change any day.
OPEN_TO_STRANGERS = (CORE, "focusmate_core.ports", KIT, FEATURES)


def modules_of(package: str) -> dict[str, Path]:
    """Name → file of every module, wherever the package is installed."""
    (folder,) = importlib.util.find_spec(package).submodule_search_locations[:1]
    base = Path(folder).parent
    return {
        ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): path
        for path in Path(folder).rglob("*.py")
    }


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports_in(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every import, late ones too: the module, and the name taken from it or nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((node.module, alias.name) for alias in node.names)


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def top(module: str) -> str:
    return module.partition(".")[0]


def impurities(module: str, tree: ast.AST) -> list[str]:
    """What a module of the core imports or names that the core must not."""
    allowed = PURE | {CORE} | EXCEPTIONS.get(module, set())
    if is_in(module, KIT):
        allowed |= KIT_ONLY
    found = [name for name, _ in imports_in(tree) if top(name) not in allowed]
    found += [name for _, name in imports_in(tree) if name in FORBIDDEN]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            named = ast.unparse(node)
            found += [bad for bad in FORBIDDEN if named == bad or named.endswith("." + bad)]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found += {node.func.id} & BUILTINS
    return found


def marked(tree: ast.Module) -> set[str]:
    """The functions that a feature's decorators marked."""
    return {
        function.name
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for decorator in function.decorator_list
        if ast.unparse(decorator).partition("(")[0].rpartition(".")[2] in MARKS
    }


def handlers_used(module: str, tree: ast.AST, handlers: dict[str, set[str]]) -> list[str]:
    """Which marked functions of other modules this one takes, by name or through the module."""
    aliases, found = {}, []
    for source, name in imports_in(tree):
        whole = f"{source}.{name}" if name else source
        if whole in handlers:
            aliases[name or source] = whole
        elif source != module and name in handlers.get(source, set()):
            found.append(whole)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = aliases.get(ast.unparse(node.value))
            if owner and node.attr in handlers[owner]:
                found.append(f"{owner}.{node.attr}")
    return found


def taken_from_root(tree: ast.AST) -> list[str]:
    """Imports of the core's package root, which is for those outside."""
    submodules = set(modules_of(CORE))
    return [
        f"{source}.{name}" if name else source
        for source, name in imports_in(tree)
        if source == CORE and f"{CORE}.{name}" not in submodules
    ]


def trespasses(tree: ast.AST, own: str) -> list[str]:
    """What a plugin imports of ours that is not open to strangers."""
    ours = {CORE, *ADAPTERS}
    return [
        name
        for name, _ in imports_in(tree)
        if top(name) in ours
        and top(name) != own
        and name != CORE
        and not any(is_in(name, shelf) for shelf in OPEN_TO_STRANGERS[1:])
    ]


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def too_long(budgets: dict[Path, int]) -> dict[str, int]:
    return {path.name: length(path) for path, budget in budgets.items() if length(path) > budget}


CORE_MODULES = modules_of(CORE)
FEATURE_MODULES = {
    name: path for name, path in CORE_MODULES.items() if is_in(name, FEATURES) and name != FEATURES
}


@pytest.mark.parametrize("module", sorted(CORE_MODULES))
def test_the_core_names_no_technology_no_clock_and_no_dice(module):
    assert impurities(module, tree_of(CORE_MODULES[module])) == []


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("import time", ["time"]),
        ("def late():\n    from sqlalchemy import select", ["sqlalchemy"]),
        ("import datetime as dt\nat = dt.datetime.now(dt.UTC)", ["datetime.now"]),
        ("from uuid import uuid4", ["uuid4"]),
        ("open('x')", ["open"]),
        ("import hypothesis", ["hypothesis"]),
    ],
)
def test_the_law_of_purity_sees_what_it_forbids(bad, found):
    assert impurities("focusmate_core.engine", ast.parse(bad)) == found


def test_the_core_reaches_no_adapter_by_any_chain():
    graph = grimp.build_graph(CORE, *ADAPTERS, cache_dir=None)
    reached = [name for name in ADAPTERS if graph.find_shortest_chains(CORE, name)]
    assert reached == []
    assert graph.find_shortest_chains("focusmate_sqlalchemy", CORE)


@pytest.mark.parametrize("module", sorted(FEATURE_MODULES))
def test_a_feature_never_takes_a_handler_of_another(module):
    handlers = {name: marked(tree_of(path)) for name, path in FEATURE_MODULES.items()}
    assert handlers_used(module, tree_of(FEATURE_MODULES[module]), handlers) == []


@pytest.mark.parametrize(
    "bad",
    [
        "from focusmate_core.features.rooms import Room, join_room",
        "from focusmate_core.features import rooms\nrooms.join_room(ask, ctx)",
        "import focusmate_core.features.rooms\nfocusmate_core.features.rooms.join_room(ask, ctx)",
    ],
)
def test_the_law_of_handlers_sees_what_it_forbids(bad):
    rooms = ast.parse("class Room: ...\n@messages.handler\ndef join_room(ask, ctx): ...")
    handlers = {"focusmate_core.features.rooms": marked(rooms)}
    found = handlers_used("focusmate_core.features.timer", ast.parse(bad), handlers)
    assert found == ["focusmate_core.features.rooms.join_room"]


def test_the_laws_find_the_features_and_their_handlers():
    found = {name for path in FEATURE_MODULES.values() for name in marked(tree_of(path))}
    assert {"register", "open_room", "join_room", "start_timer"} <= found


@pytest.mark.checkout
def test_the_laws_know_every_adapter():
    assert {path.name for path in (ROOT / "adapters").glob("focusmate_*")} == set(ADAPTERS)


@pytest.mark.parametrize("module", sorted(set(CORE_MODULES) - {CORE}))
def test_nothing_in_the_core_imports_from_its_root(module):
    found = taken_from_root(tree_of(CORE_MODULES[module]))
    assert found == [] or is_in(module, KIT)


def test_importing_the_core_loads_neither_an_adapter_nor_cattrs():
    asked = "import sys, focusmate_core; print(*{name.partition('.')[0] for name in sys.modules})"
    told = subprocess.run(
        [sys.executable, "-c", asked], check=True, capture_output=True, text=True
    ).stdout.split()
    late = {"cattrs", "pytest", "hypothesis", "sqlalchemy", "falcon", "trio", *ADAPTERS}
    assert CORE in told
    assert set(told) & late == set()


def _declared(extra: str) -> set[str]:
    """The distributions that the core and one of its extras ask for."""
    found = set()
    for line in importlib.metadata.requires("focusmate"):
        name, extras, marker = re.match(r"([\w.-]+)(?:\[([^]]*)\])?[^;]*;?(.*)", line).groups()
        if "extra ==" in marker and f"extra == '{extra}'" not in marker.replace('"', "'"):
            continue
        if name == "focusmate":
            found = found.union(*map(_declared, extras.split(",")))
        found.add(name)
    return found


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_imports_only_what_its_extra_declares(adapter):
    homes = importlib.metadata.packages_distributions()
    used = {
        top(name)
        for path in modules_of(adapter).values()
        for name, _ in imports_in(tree_of(path))
        if top(name) not in sys.stdlib_module_names
    }
    declared = _declared(adapter.removeprefix("focusmate_"))
    undeclared = {
        name
        for name in used - {CORE, *ADAPTERS}
        if not {home.lower() for home in homes.get(name, [name])} & declared
    }
    assert undeclared == set()


PLUGINS = sorted((ROOT / "plugins").glob("focusmate_*/**/*.py"))


def test_plugins_use_only_what_strangers_may():
    own = {path: path.relative_to(ROOT / "plugins").parts[0] for path in PLUGINS}
    assert {str(p): bad for p in PLUGINS if (bad := trespasses(tree_of(p), own[p]))} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from focusmate_core import Command", []),
        ("from focusmate_core.testing.clock import FakeClock", []),
        ("from focusmate_core.engine import Engine", ["focusmate_core.engine"]),
        ("import focusmate_sqlalchemy.storage", ["focusmate_sqlalchemy.storage"]),
    ],
)
def test_the_law_of_strangers_sees_what_it_forbids(source, found):
    assert trespasses(ast.parse(source), "focusmate_smtp") == found


def test_a_port_fits_on_one_screen():
    ports = {path: 60 for name, path in CORE_MODULES.items() if is_in(name, f"{CORE}.ports")}
    assert len(ports) > 3
    assert too_long(ports) == {}


def test_a_feature_is_read_in_one_sitting():
    assert too_long(dict.fromkeys(FEATURE_MODULES.values(), 400)) == {}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_file_of_an_adapter_does_one_thing(adapter):
    assert too_long(dict.fromkeys(modules_of(adapter).values(), 300)) == {}


def _function_lengths(path: Path) -> Iterator[tuple[str, int]]:
    """Lines of each function's body, its docstring not counted."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                yield node.name, node.end_lineno - body[0].lineno + 1


@pytest.mark.parametrize("package", [CORE, *ADAPTERS])
def test_functions_are_short(package):
    found = {
        f"{module}.{function}": lines
        for module, path in modules_of(package).items()
        if ".migrations." not in module  # a revision lists what it makes, table by table
        for function, lines in _function_lengths(path)
        if lines > 25
    }
    assert found == {}
