"""The four scripts as a user meets them: --help at once, and one line for a mistake, before anything slow begins."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serenity.command_line import comments

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
NOT_FOR_HELP = SLOW | {"numpy", "mido", "requests", "bs4", "PIL", "tqdm"}


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


def source_of(file, name):
    """Return the fields of a class with their comments; "" where the file does not have it."""
    found = re.search(rf"^class {name}:\n(.*?)^(?:\S|    def|    @)", file.read_text(encoding="utf-8"), re.M | re.S)
    return found[1] if found else ""


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_every_comment_whole_and_every_default_plain(script, tmp_path):
    source = source_of(ROOT / script, "Parameters")
    for name in re.findall(r"^    \w+: (\w+) = \1\(\)", source, re.M):  # its parameters are the script's too
        source += next(filter(None, (source_of(path, name) for path in ROOT.glob("serenity/**/*.py"))))
    comments = re.findall(r"# (.+)", source)
    code, output, _, _ = run(script, "--help", folder=tmp_path)
    shown = " ".join(re.sub("[│╭╮╰╯─]", " ", output).split())
    assert len(comments) > 15 and code == 0
    assert not [comment for comment in comments if comment not in shown]
    assert "(default: '" not in shown and "(default: )" not in shown


def test_help_has_a_box_for_each_section(tmp_path):
    _, output, _, _ = run("generate.py", "--help", folder=tmp_path)
    assert re.findall("─ (.*?) ─", output) == ["positional arguments", "options", "prompt options", "beats options",
                                              "length options", "drawing options", "output options", "studio options"]
    assert re.search(r"length options ─+╮\n│ Length: give one of these. Without any: 32 bars", output)


def test_a_comment_belongs_to_its_field_or_heads_a_section(tmp_path):
    script = tmp_path / "script.py"
    script.write_text('''
class Other:
    first: int = 9  # of another class


@dataclass
class Parameters:
    """Words."""

    first: int = 1   # one
    second: tuple = (
        1, 2)        # two

    # Head: of what
    # follows.
    third: str = "#"  # three
    # four,
    # and more
    fourth: int = 4

    # Another head.

    # five
    fifth: int = 5
    sixth: int = 6


first: int = 7  # of no class
''')
    assert comments("Parameters", script) == {
        "class": ("", ""), "": ("", ""), "first": ("", "one"), "second": ("", "two"),
        "third": ("Head: of what follows.", "three"), "fourth": ("Head: of what follows.", "four, and more"),
        "fifth": ("Another head.", "five"), "sixth": ("Another head.", "")}


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


@pytest.mark.parametrize(("arguments", "said"), [
    (("--bars", "four"), "Error parsing --bars: got 'four', wanted a whole number"),
    (("--temperature", "hot"), "Error parsing --temperature: got 'hot', wanted a number, or some as"),
    (("--prompt-seconds", "1", "end"), "Error parsing --prompt-seconds: got '1 end', wanted FLOAT FLOAT"),
    (("--variations", "1.5"), "Error parsing --variations: got '1.5', wanted a whole number"),
])
def test_a_value_that_cannot_be_read_is_told_in_plain_words(arguments, said, tmp_path):
    code, output, errors, _ = run("generate.py", *arguments, folder=tmp_path)
    shown = " ".join(re.sub("[│╭╮╰╯─]", " ", output + errors).split())
    assert code == 2 and said in shown and "{None}" not in shown


@pytest.mark.parametrize(("script", "arguments", "said"), [
    ("generate.py", ("--bars", "0"), "--bars 0, wanted 1 to"),
    ("generate.py", ("--top-k", "-1"), "--top-k -1, wanted 0 (all) or more"),
    ("generate.py", ("--bars", "1", "--events", "2"), "--events and --bars: wanted one of them"),
    ("generate.py", ("--prompt-seconds", "5", "2"), "--prompt-seconds 5.0 2.0, wanted two times"),
    ("preprocess.py", ("--split-ratio", "0.5"), "--split-ratio 0.5 is out of range"),
    ("fetch.py", ("data", "--max-files", "0"), "--max-files 0, wanted more than 0"),
])
def test_a_value_that_cannot_be_used_is_told_by_its_flag(script, arguments, said, tmp_path):
    code, output, errors, _ = run(script, *arguments, folder=tmp_path)
    assert (code, output, errors[:errors.find(said)]) == (2, "", f"{script}: ")


def test_when_nobody_listens_any_more_a_script_ends_quietly(tmp_path):
    listening, speaking = os.pipe()
    os.close(listening)
    done = subprocess.run([sys.executable, str(ROOT / "fetch.py"), "--list"], stdout=speaking, stderr=subprocess.PIPE,
                          cwd=tmp_path, text=True, timeout=120)
    os.close(speaking)
    assert (done.returncode, done.stderr) == (141, "")


BUSY = """
import hashlib
from dataclasses import dataclass
from serenity.command_line import run

@dataclass(frozen=True)
class Parameters:
    "Compute for an hour without a look at Python's signals, as TensorFlow does for seconds."

def main(parameters):
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2 ** 31 - 1)

run(main, Parameters, lambda parameters: "all is well")
"""


def test_ctrl_c_ends_also_a_library_that_computes():
    process = subprocess.Popen([sys.executable, "-c", BUSY], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    try:
        assert process.communicate(timeout=60) == ("", "-c: interrupted; all is well\n")
    finally:
        process.kill()
    assert process.returncode == 130


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_wrong_path_ends_with_one_line_before_anything_slow(script, tmp_path):
    code, output, errors, imported = run(script, *WRONG_PATH[script], folder=tmp_path)
    assert code == 2, errors
    assert re.fullmatch(rf"{script}: .*missing.*", errors)
    assert output == ""
    assert not imported & SLOW
