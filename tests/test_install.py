"""install.sh and the lock file, as far as can be seen without a network and without installing anything."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = dict(re.findall(r"^([a-z0-9-]+)==([\w.]+)", LOCK, re.MULTILINE))
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
DIRECT = [*BUILD, *PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]
TOOLS = ("bash", "cat", "cksum", "cut", "dirname", "grep", "mkdir", "mktemp", "mv", "rm", "sleep", "tail", "uname")

# A Python that finds itself, and then takes a long time to make an environment.
SLOW_PYTHON = f"""#!/bin/sh
case "$*" in "-m venv "*) for place; do :; done; mkdir -p "$place"; sleep 30; exit 1 ;; esac
case "$*" in *_base_executable*) echo "$0"; exit ;; esac
exec "{sys.executable}" "$@"
"""

# An environment's Python whose pip installs everything but what holds these words.
PYTHON_WITHOUT = f"""#!/bin/sh
case "$*" in
    *"pip install"*%s*) echo "ERROR: No matching distribution found for it"; exit 1 ;;
    *"pip install"*) exit ;;
esac
exec "{sys.executable}" "$@"
"""

PYTHON_WITHOUT_VENV = f"""#!/bin/sh
case "$*" in *ensurepip*) exit 1 ;; esac
exec "{sys.executable}" "$@"
"""


# --- the lock -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direct", DIRECT)
def test_every_direct_dependency_is_locked_within_its_range(direct):
    wanted = Requirement(direct)
    assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])
    assert "<" in direct and ">=" in direct


def test_every_line_of_the_lock_is_an_exact_version():
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    assert len(lines) == len(PINS)


@pytest.mark.parametrize("file", ["requirements.lock", "pyproject.toml", "install.sh", ".ci/run"])
def test_no_file_names_where_packages_come_from(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"://|--find-links|--(extra-)?index|@ file", text)


def test_tensorflow_comes_as_cpu_or_as_gpu():
    assert not any("tensorflow" in direct for direct in PROJECT["dependencies"])
    assert PINS["tensorflow"] == PINS["tensorflow-cpu"]


def test_install_and_metadata_name_the_same_pythons():
    tried = re.findall(r"\bpython3\.(\d+)\b", (ROOT / "install.sh").read_text(encoding="utf-8"))
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert {int(minor) for minor in tried} == {minor for minor in range(30) if f"3.{minor}.0" in allowed}


# --- the script ---------------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path):
    """A folder with what install.sh reads, an environment, and a PATH with nothing but what it may count on."""
    for name in ("install.sh", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / "path").mkdir()
    for tool in TOOLS:
        (tmp_path / "path" / tool).symlink_to(shutil.which(tool))
    return tmp_path


def install(clone, *arguments):
    """Start install.sh."""
    environment = {"PATH": str(clone / "path"), "HOME": str(clone), "TMPDIR": str(clone)}
    return subprocess.Popen([clone / "path/bash", clone / "install.sh", *arguments], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def add_program(clone, name, text):
    (clone / "path" / name).write_text(text)
    (clone / "path" / name).chmod(0o755)


def stamp(clone, level, hardware="cpu"):
    """Write what .venv/installed says after an installation."""
    python = ".".join(map(str, sys.version_info[:2]))
    with (clone / "requirements.lock").open() as lock:
        checksum = subprocess.run(["cksum"], stdin=lock, capture_output=True, text=True, check=True).stdout.strip()
    (clone / ".venv/installed").write_text(f"{hardware} {python} {checksum} {os.path.realpath(clone)} {level}\n")


def test_the_script_is_valid_bash():
    subprocess.run(["bash", "-n", ROOT / "install.sh", ROOT / ".ci/run"], check=True)


def test_help_needs_nothing(clone):
    output, errors = install(clone, "--help").communicate()
    assert "--dev" in output and errors == ""


def test_an_unknown_flag_ends_with_code_2_and_one_line(clone):
    process = install(clone, "--fast")
    output, errors = process.communicate()
    assert (process.returncode, output) == (2, "")
    assert errors == "install.sh: expected nothing, --dev or --help. Received: --fast\n"


@pytest.mark.parametrize(("level", "arguments"), [("run", ()), ("dev", ()), ("dev", ("--dev",))])
def test_a_second_run_has_nothing_to_do(clone, level, arguments):
    stamp(clone, level)
    process = install(clone, *arguments)
    output, errors = process.communicate()
    assert (process.returncode, output, errors) == (0, "Nothing to do: .venv is as it should be.\n", "")


@pytest.mark.parametrize("change", ["lock", "driver", "folder", "dev"])
def test_what_changed_is_seen_and_without_python_the_environment_stays(clone, change):
    stamp(clone, "run")
    if change == "lock":
        (clone / "requirements.lock").write_text("# none\n")
    elif change == "driver":
        if os.uname().sysname + os.uname().machine != "Linuxx86_64":
            pytest.skip("CUDA is for Linux x86_64")
        add_program(clone, "nvidia-smi", "#!/bin/sh\n")
    elif change == "folder":
        (clone / ".venv/installed").write_text((clone / ".venv/installed").read_text().replace(clone.name, "moved"))
    process = install(clone, *(["--dev"] if change == "dev" else []))
    output, errors = process.communicate()
    assert (process.returncode, output) == (1, "")
    assert errors == "install.sh: needs Python 3.11, 3.12 or 3.13 with venv; none found\n"
    assert (clone / ".venv/installed").exists() and not (clone / ".venv.new").exists()


def install_without(clone, words):
    """Add what testing needs where pip fails at `words`; return exit code, output and errors."""
    stamp(clone, "run")
    add_program(clone, "python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (clone / ".venv/bin/python").unlink()
    add_program(clone, "../.venv/bin/python", PYTHON_WITHOUT % words)
    process = install(clone, "--dev")
    return (*process.communicate(), process.returncode)


def test_no_sound_stops_no_installation(clone):
    output, errors, code = install_without(clone, "/sound.txt")
    assert (code, errors) == (0, "")
    assert "no sound here, all else works: ERROR: No matching distribution found for it\n" in output
    assert (clone / ".venv/installed").read_text().endswith(" dev\n")


def test_without_the_library_nothing_counts_as_installed(clone):
    _, errors, code = install_without(clone, "--editable")
    assert code == 1 and errors.startswith("install.sh: Serenity's own library could not be installed: ERROR: No match")
    assert not (clone / ".venv/installed").exists()


def test_the_library_is_found_from_anywhere_in_the_folder_where_it_lies(tmp_path):
    """What pip does for install.sh's last step, without the environment of these tests."""
    project, site = tmp_path / "project", tmp_path / "site"
    (project / "serenity/music").mkdir(parents=True)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, project)
    build = "from setuptools import build_meta; build_meta.build_editable('..')"
    subprocess.run([sys.executable, "-c", build], cwd=project, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("serenity-*.whl")
    shutil.unpack_archive(wheel, site, "zip")
    for name in ("__init__.py", "music/__init__.py", "music/later.py"):  # the files of today, not of the installation
        (project / "serenity" / name).touch()
    ask = f"import site; site.addsitedir({str(site)!r}); import serenity.music.later as it; print(it.__file__)"
    # -S: without what is installed beside this interpreter, which may be the library itself.
    command = [sys.executable, "-S", "-c", ask]
    found = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert Path(found.strip()) == project / "serenity/music/later.py"


def test_a_python_without_venv_is_named_with_its_remedy(clone):
    add_program(clone, "python3", PYTHON_WITHOUT_VENV)
    process = install(clone)
    errors = process.communicate()[1]
    assert process.returncode == 1
    assert re.fullmatch(r"install.sh: .*python3 is 3\..* lacks venv \(.* apt install python3\.\d+-venv\)\n", errors)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_interruption_leaves_the_environment_of_before(clone, number, code):
    add_program(clone, "python3", SLOW_PYTHON)
    process = install(clone)
    while not (clone / ".venv.new/build").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=10) == code
    assert (clone / ".venv/bin/python").exists()
    if code > 0:  # what kill -9 leaves, the next run removes
        assert not (clone / ".venv.new").exists()
        assert not list(clone.glob("serenity-install.*"))
