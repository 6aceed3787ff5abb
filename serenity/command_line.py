"""What the four scripts share: flags from a dataclass, and one way to end.

Imports tyro alone, so that `--help` answers at once.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tyro

from serenity.errors import InputError


def run(main: Callable, parameters: type, go_on: str = "run the same command again") -> None:
    """Parse the command line into `parameters` (a frozen dataclass), call `main` with it, and exit.

    `go_on` tells how to go on after an interruption.

    Exit codes: 0 done; 2 the input or the arguments are at fault (one line on standard error); 130 interrupted.
    """
    script = Path(sys.argv[0]).name
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    try:
        main(tyro.cli(parameters))
    except InputError as error:
        sys.exit(_complain(script, str(error), 2))
    except OSError as error:  # a full disk, a folder that may not be written, a path that is a folder
        sys.exit(_complain(script, f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), 2))
    except KeyboardInterrupt:
        sys.exit(_complain(script, f"interrupted; what is done is kept; to go on, {go_on}", 130))


@contextmanager
def remarks_unseen() -> Iterator[None]:
    """Hide what is written to standard error within, by libraries too: TensorFlow's remarks when it is imported."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _complain(script: str, message: str, code: int) -> int:
    print(f"{script}: {' '.join(message.split())}", file=sys.stderr)
    return code
