"""The rules of the house, checked on the syntax tree: each broken one is named as file:line.

A rule takes a file's path inside the project and its tree, and yields (line, what is wrong). Below the rules stands,
for each, a piece of code that breaks it: so a rule that has gone blind is found too.
"""

import ast
import dataclasses
import graphlib
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

from serenity import completion, request

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("fetch.py", "preprocess.py", "train.py", "generate.py")
SOURCES = sorted(path for path in [*ROOT.glob("*.py"), *ROOT.glob("serenity/**/*.py")])

# What every floor may import.
BELOW = ("categories", "errors", "files", "midi_container", "notation", "parallel", "settings", "song_names")
FLOORS = {  # floor -> what it may import beside itself and what lies below all
    "sources": (),
    "music": (),
    "tokens": ("music",),
    "listen": ("music",),
    "model": ("music", "tokens"),
    "request": ("music", "tokens", "model"),
    "completion": ("music", "tokens", "model", "listen", "request"),
    "preparation": ("sources", "music", "tokens", "listen", "journal"),
    "learning": ("sources", "music", "tokens", "model", "listen"),
    "outputs": ("music", "listen", "request", "completion"),
    "replay": ("music", "tokens", "model", "listen", "request", "completion"),
    "studio": ("music", "listen", "completion", "replay"),
}
# Above the folders: what the scripts do.
LIBRARY = {"preparation", "learning", "request", "completion", "outputs", "replay"}
LIGHT = ("serenity.request.",)  # what --help shows of choices and defaults
SLOW = ("tensorflow", "keras", "jax", "torch")  # seconds to import
UNSAFE_MODULES = ("pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib")  # loading runs code
UNSAFE_CALLS = ("eval", "exec", "compile", "__import__", "import_module", "Lambda", "enable_unsafe_deserialization")
UNSAFE_FLAGS = {"allow_pickle": True, "safe_mode": False, "weights_only": False, "shell": True}
ABSOLUTE_PATH = re.compile(r"(?<![\w.~/])/(work|root|home|tmp|opt|Users|mnt)\b")


@cache
def tree_of(file):
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imports(tree):
    """Yield (full name, line, waits) of everything imported; `waits`: it is not imported with the file itself."""
    waiting = {id(child) for node in ast.walk(tree)
               if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
               or isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
               for child in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((name, node.lineno, id(node) in waiting) for name in names)


def floor_of(dotted):
    """Return the floor of serenity.tokens.windows, which is tokens."""
    return dotted.split(".")[1] if dotted.startswith("serenity.") else None


def module_of(path):
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_of_modules_are_absolute(path, tree):
    yield from ((line, f"{name}: write the module's full name") for name, line, _ in imports(tree)
                if name.startswith("."))


def floors_import_only_what_lies_below(path, tree):
    floor = floor_of(module_of(path))
    if floor not in FLOORS:
        return
    allowed = (floor, *FLOORS[floor], *BELOW)
    for name, line, _ in imports(tree):
        if name.split(".")[0] == "serenity" and floor_of(name) not in allowed:
            yield line, f"{floor} imports {name}; it may import {', '.join(allowed)}"


def modules_never_import_config(path, tree):
    if path.startswith("serenity/"):
        yield from ((line, "config is for scripts; let them hand the value down") for name, line, _ in imports(tree)
                    if name.split(".")[0] == "config")


def only_the_model_imports_keras(path, tree):
    if not path.startswith("serenity/model/"):
        yield from ((line, f"{name} takes seconds to import; only serenity/model does") for name, line, _ in
                    imports(tree) if name.split(".")[0] in SLOW)


def scripts_import_serenity_inside_functions(path, tree):
    """So that --help answers at once. What is light may stand at the top."""
    if path in SCRIPTS:
        for name, line, waits in imports(tree):
            if floor_of(name) in FLOORS and not waits and not name.startswith(LIGHT):
                yield line, f"{name}: import it inside the function that needs it"


def only_scripts_know_flags(path, tree):
    if path not in (*SCRIPTS, "serenity/command_line.py"):
        yield from ((line, f"{name} is for scripts") for name, line, _ in imports(tree)
                    if name.split(".")[0] == "tyro" or name.startswith("serenity.command_line"))


def nothing_loads_code(path, tree):
    for name, line, _ in imports(tree):
        if name.split(".")[0] in UNSAFE_MODULES:
            yield line, f"{name} runs code that a file brings along"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            # compile is a method of regular expressions and of models: only the builtin counts
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if called in UNSAFE_CALLS and (called != "compile" or isinstance(node.func, ast.Name)):
                yield node.lineno, f"{called}() runs code that a file may have brought along"
            for keyword in node.keywords:
                if keyword.arg in UNSAFE_FLAGS and getattr(keyword.value, "value", None) is UNSAFE_FLAGS[keyword.arg]:
                    yield node.lineno, f"{keyword.arg}={keyword.value.value} lets a file bring code along"


def what_is_public_has_a_docstring(path, tree):
    if tree.body and not ast.get_docstring(tree):
        yield 1, "the module has no docstring"
    for node in tree.body:
        is_public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if is_public and not ast.get_docstring(node):
            yield node.lineno, f"{node.name} has no docstring"


def no_path_of_one_machine(path, tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ABSOLUTE_PATH.search(node.value):
            yield node.lineno, f"{node.value!r} names a place on one machine"


def no_search_path_is_bent(path, tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "path" and getattr(node.value, "id", "") == "sys":
            yield node.lineno, "install.sh installs the library: it is found without this"


BROKEN = {  # rule -> (path, code that breaks it)
    imports_of_modules_are_absolute: ("serenity/tokens/x.py", "from . import windows"),
    floors_import_only_what_lies_below: ("serenity/music/x.py", "def f():\n    from serenity.tokens import windows"),
    modules_never_import_config: ("serenity/music/x.py", "from config import MIDI"),
    only_the_model_imports_keras: ("serenity/tokens/x.py", "def f():\n    import keras.ops"),
    scripts_import_serenity_inside_functions: ("train.py", "from serenity.model import training"),
    only_scripts_know_flags: ("serenity/music/x.py", "from serenity.command_line import run"),
    nothing_loads_code: ("serenity/model/x.py", "import numpy\nnumpy.load('x.npy', allow_pickle=True)"),
    what_is_public_has_a_docstring: ("serenity/music/x.py", "'''A module.'''\ndef public(): pass"),
    no_search_path_is_bent: ("benchmarks/x.py", "import sys\nsys" ".path.insert(0, '..')"),
    no_path_of_one_machine: ("serenity/music/x.py", "FOLDER = '/home/me/music'"),
}


@pytest.mark.parametrize("rule", BROKEN, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule):
    broken = [f"{path}:{line}: {what}"
              for file in SOURCES for path in [file.relative_to(ROOT).as_posix()]
              for line, what in rule(path, tree_of(file))]
    assert not broken, "\n" + "\n".join(broken)


def test_benchmarks_and_tests_bend_no_search_path():
    files = [*ROOT.glob("benchmarks/*.py"), *ROOT.glob("tests/**/*.py")]
    assert not [f"{file}:{line}" for file in files for line, _ in no_search_path_is_bent("", tree_of(file))]


@pytest.mark.parametrize(("rule", "path", "code"), [(rule, *broken) for rule, broken in BROKEN.items()],
                         ids=[rule.__name__ for rule in BROKEN])
def test_the_rule_sees_what_breaks_it(rule, path, code):
    assert list(rule(path, ast.parse(code)))


@pytest.mark.parametrize("code", [
    "import pickle", "from joblib import load", "eval('1')", "exec('x')", "compile('x', '', 'exec')", "__import__('x')",
    "importlib.import_module('x')", "keras.layers.Lambda(f)", "load_model(path, safe_mode=False)",
])
def test_code_that_a_file_brings_is_seen_in_every_form(code):
    assert list(nothing_loads_code("serenity/model/x.py", ast.parse(code)))


@pytest.mark.parametrize("code", ["re.compile('x')", "model.compile(optimizer)", "ast.literal_eval('1')",
                                  "numpy.load(path, allow_pickle=False)"])
def test_what_is_safe_is_left_in_peace(code):
    assert not list(nothing_loads_code("serenity/model/x.py", ast.parse(code)))


def test_modules_import_each_other_in_no_circle():
    modules = {module_of(path.relative_to(ROOT).as_posix()): path for path in SOURCES}
    graph = {}
    for module, path in modules.items():
        names = [name for name, _, _ in imports(tree_of(path))]
        graph[module] = {name if name in modules else name.rpartition(".")[0] for name in names} & set(modules)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"these import each other in a circle: {' -> '.join(error.args[1])}")


def test_every_floor_is_known():
    floors = {path.parent.name for path in ROOT.glob("serenity/*/__init__.py")}
    assert floors | LIBRARY == set(FLOORS)


def test_a_recipe_keeps_all_that_determines_a_song():
    names = [field.name for kind in (request.SeedSettings, request.Request) for field in dataclasses.fields(kind)]
    assert sorted([*completion.FLAGS, "variations"]) == sorted(names)


def test_what_the_docs_import_exists():
    pages = "\n".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
    rows = re.findall(r"^    from (serenity[\w.]*) import (.+)$", pages, re.M)
    named = [(module, name.strip()) for module, names in rows for name in names.split(",")]
    assert len(named) > 5
    for module, name in named:
        assert hasattr(importlib.import_module(module), name) or importlib.util.find_spec(f"{module}.{name}"), name
