#!/usr/bin/env bash
# Makes .venv beside this file and installs into it what Serenity needs. `./install.sh --help` says more.
#
# What is installed: the direct dependencies of pyproject.toml, at the versions of requirements.lock. Those of the extra
# `sound` come after them; if they cannot be installed, the rest works without them. Last comes Serenity's own library,
# editable: Python finds it in this folder.
# A new environment is made in .venv.new and moved to .venv when it is complete and works. So a failure or an
# interruption, even kill -9, leaves the earlier .venv as it was. .venv/installed says what .venv holds; if that is what
# is wanted, there is nothing to do. It is written last, and removed while packages are added.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
unset PYTHONHOME PYTHONPATH  # they would mix another environment into this one

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit "${code:-1}"; }

level=run
case "$*" in
    "") ;;
    --dev) level=dev ;;
    -h | --help)
        say "Usage: ./install.sh [--dev]"
        say
        say "Makes .venv in this folder and installs what running Serenity needs (1.8 GB). Run it again at any time: it"
        say "does only what is missing. Where an NVIDIA driver works, TensorFlow comes with CUDA (several GB)."
        say
        say "  --dev   add what testing needs"
        say "  --help  this text"
        say
        say "Needs Python 3.11, 3.12 or 3.13 on Linux, macOS (Apple silicon) or WSL 2. The newest one found is taken;"
        say "PYTHON=/path/to/python ./install.sh takes another."
        exit ;;
    *) code=2 fail "expected nothing, --dev or --help. Received: $*" ;;
esac

# TensorFlow has CUDA only on Linux x86_64, and nvidia-smi may be there without a driver.
hardware=cpu
if [ "$(uname -sm)" = "Linux x86_64" ] && nvidia-smi >/dev/null 2>&1; then hardware=gpu; fi

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
wanted() { say "$hardware $(version_of "${PYTHON:-.venv/bin/python}") $(cksum <requirements.lock) $PWD"; }
installed() { cat .venv/installed 2>/dev/null || true; }

end_if_installed() {
    case "$(installed)" in
        "$(wanted) dev" | "$(wanted) $level") say "Nothing to do: .venv is as it should be."; exit ;;
    esac
}

# Print the first Python that runs (a pyenv shim may not), has a version that the locked packages support, and can make
# environments (Debian has a package of its own for that).
find_python() {
    local candidate version seen=""
    set -- python3.13 python3.12 python3.11 python3 python "${HOME:-}"/.pyenv/versions/3.1[123].*/bin/python
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; fi
    for candidate; do
        version=$(version_of "$candidate") || continue  # absent, or it does not run
        case $version in
            3.11 | 3.12 | 3.13)
                if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
                    "$candidate" -c 'import sys; print(sys._base_executable)'  # never the .venv that is to be replaced
                    return
                fi
                seen="$seen; $candidate is $version but lacks venv"
                seen="$seen (on Debian and Ubuntu: apt install python$version-venv)" ;;
            *) seen="$seen; $candidate is $version" ;;
        esac
    done
    fail "needs Python 3.11, 3.12 or 3.13 with venv${seen:-; none found${PYTHON:+ at $PYTHON}}"
}

# Run a command with its output in the log. Meanwhile a terminal shows the seconds and the log's last line.
child=
quietly() {
    local start=$SECONDS
    set -m  # a process group of its own, so that clean_up ends it together with what it started
    "$@" >>"$log" 2>&1 &
    child=$!
    set +m
    while kill -0 "$child" 2>/dev/null; do
        if [ -t 1 ]; then printf '\r\033[K  %d s  %.70s' $((SECONDS - start)) "$(tail -n 1 "$log")"; fi
        sleep 0.2
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
    local status=0
    wait "$child" || status=$?
    child=
    return $status
}

# Say in one line why pip failed.
reason() {
    if grep -q "after connection broken" "$log"; then
        say "no package index can be reached"
    else
        grep -m 1 ERROR "$log"
    fi
}

# Install the list $2 into the environment $1. Wheels only: nothing is compiled here, and no package's own script runs.
pip_install() {
    quietly "$1/bin/python" -m pip install --no-input --progress-bar off --only-binary :all: \
        --requirement ".venv.new/$2.txt" --constraint requirements.lock
}

# Install into the environment $1 what is needed, what makes sound if it is available, and Serenity's own library.
install_packages() {
    "$python" - $hardware $level <<'PYTHON'
import pathlib, sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = project["optional-dependencies"]
needed = project["dependencies"] + extras[sys.argv[1]] + (extras["dev"] if sys.argv[2] == "dev" else [])
for name, packages in {"needed": needed, "sound": extras["sound"]}.items():
    pathlib.Path(".venv.new", f"{name}.txt").write_text("\n".join(packages))
PYTHON
    pip_install "$1" needed || fail "the packages could not be installed: $(reason) (log: $log)"
    : >"$log"  # so that `reason` finds that of the next step
    pip_install "$1" sound || say "Songs will have no sound here, all else works: $(reason)"
    : >"$log"
    quietly "$1/bin/python" -m pip install --no-input --no-index --no-deps --no-build-isolation --editable . ||
        fail "Serenity's own library could not be installed: $(reason) (log: $log)"
}

# Leave either the earlier .venv or the new one, and no other files.
clean_up() {
    local status=$?
    trap '' INT TERM HUP
    if [ -t 1 ]; then printf '\r\033[K'; fi
    if [ -n "$child" ]; then kill -- "-$child" && wait "$child"; fi 2>/dev/null || true
    if [ -d .venv.new/old ] && [ ! -e .venv ]; then mv .venv.new/old .venv; fi
    rm -rf .venv.new
    case $status in
        0) rm "$log" ;;
        129 | 130 | 143) rm "$log"; printf '%s\n' "install.sh: interrupted; run it again to go on" >&2 ;;
    esac
    exit $status
}

end_if_installed
python=$(find_python)

# Only one at a time. The lock is on this file, and pip inherits it: if install.sh is killed, the lock holds until its
# pip has ended too.
exec 9<install.sh
"$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null || {
    say "Waiting for another install.sh to end"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    end_if_installed
}

log=$(mktemp "${TMPDIR:-/tmp}/serenity-install.XXXXXX")
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -d .venv.new/old ] && [ ! -e .venv ]; then mv .venv.new/old .venv; fi  # killed between the two moves below
rm -rf .venv.new
mkdir .venv.new

if [ "$(installed)" = "$(wanted) run" ]; then
    rm .venv/installed
    say "Adding what testing needs"
    install_packages .venv
else
    new=$PWD/.venv.new/build
    say "Making an environment with $python"
    quietly "$python" -m venv --prompt serenity "$new" || fail "the environment could not be made (log: $log)"
    case "$hardware" in
        cpu) say "Installing the packages (a minute or a few)" ;;
        gpu) say "Installing the packages, with CUDA for the NVIDIA driver found (some minutes)" ;;
    esac
    install_packages "$new"
    say "Trying TensorFlow"
    KERAS_BACKEND=tensorflow quietly "$new/bin/python" -c 'import keras' ||
        fail "TensorFlow does not run here: $(tail -n 1 "$log" | cut -c 1-160) (log: $log)"

    # The environment's scripts contain its path. Replace it by the path that it is moved to.
    "$python" - "$new" "$PWD/.venv" <<'PYTHON'
import pathlib, sys
old, new = (place.encode() for place in sys.argv[1:])
here = pathlib.Path(sys.argv[1])
for file in [here / "pyvenv.cfg", *(file for file in (here / "bin").iterdir() if not file.is_symlink())]:
    if old in (content := file.read_bytes()):
        file.write_bytes(content.replace(old, new))
PYTHON
    if [ -e .venv ]; then mv .venv .venv.new/old; fi
    mv "$new" .venv
fi
say "$(wanted) $level" >.venv/installed
say "Done in $SECONDS s: .venv is ready."
