"""The rules of the house: which way imports point, what is pure, what is said of everything."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("schemas", "transforms", "pipelines", "services")
"""Each may import those before it, and itself."""
SOURCES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
SCRIPTS = [path for path in sorted((ROOT / "scripts").rglob("*.py")) if "lib" not in path.parts]
"""Without what others made, which their setups fetch."""
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *SCRIPTS]
PURE = [
    "follow/journey",
    "follow/status",
    "tell/record",
    "tell/statements",
    "watch/deadlines",
    "watch/telling",
    "watch/tracker",
    "visits/bursts",
    "visits/silence",
    "ingest/decode",
    "ingest/validate",
    "publish/lake",
    "publish/append",
    "publish/rejudge",
]


def name(path: Path) -> str:
    """Name a file in a test's id."""
    return str(path.relative_to(ROOT))


def each(paths):
    """Make a test of each file."""
    return pytest.mark.parametrize("path", list(paths), ids=name)


def tree(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Give the modules that a file imports, anywhere in it; names imported from a package too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} imports by a relative name"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@each(SOURCES)
def test_imports_point_one_way(path):
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    later = {*LAYERS[layer + 1 :], "tests", "scripts"}
    assert {module for module in imports(path) if module.split(".")[0] in later} == set()


@each(path for path in SOURCES if path.parent.name == "schemas" and path.stem != "coders")
def test_the_words_know_no_beam(path):
    assert not [m for m in imports(path) if m.startswith(("apache_beam", "schemas.coders"))]


@each(ROOT / "transforms" / f"{module}.py" for module in PURE)
def test_rules_know_no_beam(path):
    shells = {name(p)[:-3].replace("/", ".") for p in SOURCES if any(m.startswith("apache_beam") for m in imports(p))}
    found = list(imports(path))
    assert not [m for m in found if m.startswith("apache_beam")]
    assert not [m for m in found if m in shells or m.rpartition(".")[0] in shells]


@each(path for path in SOURCES if "simulate" in path.parts)
def test_the_simulator_knows_no_rule(path):
    assert not [m for m in imports(path) if m.split(".")[0] == "transforms"], "it must be able to prove them wrong"


@each(SOURCES)
def test_annotations_are_not_put_off(path):
    assert "__future__.annotations" not in imports(path), "Beam would take every hint for Any"


@each(SOURCES)
def test_no_lambda_in_a_graph(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            if called.startswith("beam.") and node.func.attr in (
                "Map",
                "FlatMap",
                "Filter",
                "MapTuple",
                "FlatMapTuple",
            ):
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                assert not any(isinstance(arg, ast.Lambda) for arg in given), f"line {node.lineno}"


@each(ALL)
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@each(SOURCES)
def test_everything_public_says_what_it_is(path):
    module = tree(path)
    assert ast.get_docstring(module), "the module"
    for node in undocumented(module):
        pytest.fail(f"{node.name}, line {node.lineno}")


def undocumented(owner: ast.AST) -> Iterator[ast.AST]:
    """Give public functions and classes without a docstring whose first paragraph is a sentence."""
    for node in ast.iter_child_nodes(owner):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            summary = (ast.get_docstring(node) or "").split("\n\n")[0]
            if not summary.rstrip().endswith((".", "?", ":")):
                yield node
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node)


@each(ALL)
def test_nothing_waits_to_be_done(path):
    marks = [f"{'TO'}{'DO'}", f"{'FIX'}{'ME'}", f"{'X'}{'XX'}"]
    assert not [mark for mark in marks if mark in path.read_text(encoding="utf-8")]
