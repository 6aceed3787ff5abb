"""The scripts as a user runs them, in this process: a new one takes seconds to import what is imported here already.

What is to be seen of a process itself, what it imports or how signals end it, wants a process of its own.
"""

import contextlib
import io
import sys
from subprocess import CompletedProcess
from types import ModuleType
from unittest import mock

import generate
from serenity import command_line


def call(script: ModuleType, *arguments, folder) -> CompletedProcess:
    """Run a script with arguments in a folder; return its exit code and its two outputs."""
    out, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    command, code = [f"{script.__name__}.py", *map(str, arguments)], 0
    with (contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors),
          mock.patch.object(sys, "argv", command)):
        try:
            command_line.run(script.main, script.Parameters, script.kept)
        except SystemExit as end:
            code = end.code
    for stream in (out, errors):
        stream.seek(0)
    return CompletedProcess(command, code, out.read(), errors.read())


def asking(**values) -> generate.Parameters:
    """Return parameters of generate.py: its own, and those of what is asked, by their names."""
    return command_line.composed(generate.Parameters, values)
