"""The four scripts as a user meets them: --help at once, and one line for a mistake, before anything slow begins."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

WRONG_VALUE = {  # script -> a flag with a value that it cannot have, or with none
    "fetch.py": ("--output",),
    "preprocess.py": ("--workers", "many"),
    "train.py": ("--epochs", "many"),
    "generate.py": ("--events", "many"),
}
WRONG_PATH = {  # script -> arguments that name what is not there
    "fetch.py": ("missing-folder",),
    "preprocess.py": ("--midi", "missing-folder"),
    "train.py": ("--tokens", "missing-folder"),
    "generate.py": ("missing.mid", "out.mid"),
}
SCRIPTS = tuple(WRONG_VALUE)

SLOW = {"tensorflow", "keras", "jax", "torch", "music21", "matplotlib"}
NOT_FOR_HELP = SLOW | {"numpy", "symusic", "mido", "requests", "bs4", "PIL", "tqdm"}


def run(script, *arguments, folder):
    """Run a script in a folder; return its exit code, its two outputs, and the packages that it imported."""
    command = [sys.executable, "-X", "importtime", str(ROOT / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    imported = re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    return done.returncode, done.stdout, "\n".join(errors), {name.split(".")[0] for name in imported}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_answers_and_loads_nothing_slow(script, tmp_path):
    code, output, errors, imported = run(script, "--help", folder=tmp_path)
    assert (code, errors) == (0, "")
    assert "usage" in output.lower()
    assert not imported & NOT_FOR_HELP
    assert "tyro" in imported  # so the list of imports is no empty one


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_leaves_no_half_of_a_comment_out(script):
    """tyro shows the comment above a parameter whole, but of one that stands behind it the first line alone."""
    lines = (ROOT / script).read_text(encoding="utf-8").splitlines()
    start = lines.index("class Parameters:")
    end = next(number for number in range(start, len(lines)) if lines[number].startswith("def "))
    assert not [line for line in lines[start:end] if re.match(r" {5,}#", line)]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("arguments", ["unknown flag", "wrong value"])
def test_wrong_arguments_end_with_code_2(script, arguments, tmp_path):
    wrong = ("--no-such-flag",) if arguments == "unknown flag" else WRONG_VALUE[script]
    code, output, errors, imported = run(script, *wrong, folder=tmp_path)
    assert code == 2
    assert wrong[0] in output + errors
    assert "Traceback" not in output + errors
    assert not imported & NOT_FOR_HELP
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_wrong_path_ends_with_one_line_before_anything_slow(script, tmp_path):
    code, output, errors, imported = run(script, *WRONG_PATH[script], folder=tmp_path)
    assert code == 2, errors
    assert re.fullmatch(rf"{script}: .*missing.*", errors)
    assert output == ""
    assert not imported & SLOW
