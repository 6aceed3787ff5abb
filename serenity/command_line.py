"""What the four scripts share: flags from a dataclass, their help from its comments, and one way to end.

Imports nothing that takes time, so that Ctrl-C finds someone who listens as soon as can be.
"""

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import Field, field, fields, is_dataclass, make_dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import NoneType
from typing import Annotated, get_args, get_type_hints

from serenity.errors import InputError, SettingError

GRACE = 1.0  # seconds that work has to end by itself after Ctrl-C; a library may compute for longer
INTERRUPTED = 130  # exit code
UNHEARD = 141      # of a process that nobody listens to any more, as `head` ends the one before it


def run(main: Callable, parameters: type, kept: Callable[[object], str] = lambda _: "nothing is kept") -> None:
    """Parse the command line into `parameters` (a frozen dataclass), call `main` with it, and exit.

    `kept`, given these parameters, says what an interruption left and how to go on.

    Exit codes: 0 done; 2 the input or the arguments are wrong (one line on standard error); 130 interrupted; 141 nobody
    reads the output any more.
    """
    script, given = Path(sys.argv[0]).name, []
    for stream in (sys.stdout, sys.stderr):
        # A file's name may be no text at all; what is said is seen at once, in a pipe too.
        stream.reconfigure(errors="backslashreplace", line_buffering=True)

    def interrupted() -> int:
        return _complain(script, "; ".join(["interrupted", *map(kept, given)]), INTERRUPTED)

    try:
        with _obeyed(interrupted):
            if {"-h", "--help"} & set(sys.argv[1:]):
                show_help(parameters)
            given.append(parsed(parameters))
            main(given[0])
            sys.stdout.flush()  # here, where somebody hears that nobody listens
    except SettingError as error:
        sys.exit(_complain(script, with_flags(str(error)), 2))
    except InputError as error:
        sys.exit(_complain(script, str(error), 2))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would try again at the very end
        sys.exit(UNHEARD)
    except OSError as error:  # a full disk, a folder that may not be written, a path that is a folder
        sys.exit(_complain(script, f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), 2))
    except KeyboardInterrupt:
        sys.exit(interrupted())


def parsed(parameters: type, arguments: Sequence[str] | None = None) -> object:
    """Return the parameters of a command line; None: that of the process. Ends the process where it has none."""
    import tyro

    flat = make_dataclass(parameters.__name__, [leaf for _, leaf in leaves(parameters)],
                          namespace={"__doc__": parameters.__doc__})
    return composed(parameters, vars(tyro.cli(flat, args=arguments, registry=_readable())))


def flag(name: str) -> str:
    """Return how a parameter is written in the shell."""
    return f"--{name.replace('_', '-')}"


def with_flags(message: str) -> str:
    """Return a SettingError's message with flags in the place of the names that it begins with."""
    names = re.match(r"\w+(?:(?:, | and )\w+)*", message)[0]
    return re.sub(r"\b(?!and\b)\w+", lambda name: flag(name[0]), names) + message[len(names):]


def _readable():
    """Return how tyro reads what may be None, and numbers, so that people understand what it says of them."""
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

    registry = ConstructorRegistry()

    @registry.primitive_rule
    def optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        kinds = [kind for kind in get_args(info.type) if kind is not NoneType]
        if NoneType not in get_args(info.type) or len(kinds) > 1:
            return None
        spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds[0], info.markers))
        return replace(spec, choices=spec.choices and ("None", *spec.choices),
                       instance_from_str=partial(_optional, spec),
                       is_instance=lambda value: value is None or spec.is_instance(value),
                       str_from_instance=lambda value: ["None"] if value is None else spec.str_from_instance(value))

    @registry.primitive_rule
    def number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        wanted = {int: "a whole number", float: "a number"}.get(info.type)
        return wanted and PrimitiveConstructorSpec(
            nargs=1, metavar=info.type.__name__.upper(), instance_from_str=partial(_number, info.type, wanted),
            is_instance=lambda value: isinstance(value, info.type | int), str_from_instance=lambda value: [str(value)])

    @registry.primitive_rule
    def for_attributes(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        kind = next((kind for kind in (int, float) if info.type == kind | dict[str, kind]), None)
        return kind and PrimitiveConstructorSpec(
            nargs=1, metavar="N|pitch=N,step=N,..", instance_from_str=partial(_for_attributes, kind),
            is_instance=lambda value: isinstance(value, kind | int | dict), str_from_instance=lambda value: [
                ",".join(f"{name}={each}" for name, each in value.items()) if isinstance(value, dict) else str(value)])

    return registry


def _optional(spec, words: list[str]) -> object:
    if words == ["None"]:
        return None
    try:
        return spec.instance_from_str(words)
    except ValueError:
        if len(words) == 1:
            raise
        raise ValueError(f"got {' '.join(words)!r}, wanted {spec.metavar}") from None


def _for_attributes(kind: type, words: list[str]) -> object:
    """Return a number for all attributes, or one for some of them: "16", "pitch=16,step=8"."""
    try:
        if "=" not in words[0]:
            return kind(words[0])
        return {name.strip(): kind(value) for name, _, value in (part.partition("=") for part in words[0].split(","))}
    except ValueError:
        raise ValueError(f"got {words[0]!r}, wanted a number, or some as pitch=16,step=8") from None


def _number(kind: type, wanted: str, words: list[str]) -> float:
    try:
        return kind(words[0])
    except ValueError:
        raise ValueError(f"got {words[0]!r}, wanted {wanted}") from None


# --- settings inside of parameters ------------------------------------------------------------------------------------

def leaves(parameters: type) -> Iterator[tuple[type, tuple[str, object, Field]]]:
    """Yield (class, (name, type, field)) of each parameter of a dataclass; of settings inside of it, of each of theirs.

    The fields have the defaults that stand at the top of the script.
    """
    hints = get_type_hints(parameters, include_extras=True)
    for each in fields(parameters):
        if is_dataclass(kind := hints[each.name]):
            for inner_kind, (name, hint, _) in leaves(kind):
                yield inner_kind, (name, hint, field(default=getattr(each.default, name)))
        else:
            yield parameters, (each.name, hints[each.name], each)


def composed(parameters: type, values: dict[str, object]) -> object:
    """Return parameters with the values of some of their leaves, the others by default. Raises InputError."""
    hints, given = get_type_hints(parameters), {}
    for each in fields(parameters):
        if is_dataclass(hints[each.name]):
            names = {inner.name for inner in fields(hints[each.name])} & values.keys()
            given[each.name] = replace(each.default, **{name: values[name] for name in names})
        elif each.name in values:
            given[each.name] = values[each.name]
    return parameters(**given)


def values(parameters: object) -> dict[str, object]:
    """Return the value of each leaf of some parameters, by its name. The inverse of composed."""
    found = {}
    for name, value in vars(parameters).items():
        found |= values(value) if is_dataclass(value) else {name: value}
    return found


# --- help -------------------------------------------------------------------------------------------------------------

def show_help(parameters: type, arguments: Sequence[str] | None = None) -> None:
    """Print the help of a dataclass, a box for each of its sections, and exit.

    tyro shows no sections of one dataclass, so it is shown one of several.
    """
    import tyro

    sections = {}
    for kind, (name, hint, default) in leaves(parameters):
        head, text = comments(kind.__name__, Path(sys.modules[kind.__module__].__file__))[name]
        about = tyro.conf.arg(help=text, help_behavior_hint=partial(_default, default.default))
        sections.setdefault(head, []).append((name, Annotated[hint, about], default))
    parts = []
    for head, members in sections.items():
        part = make_dataclass(parameters.__name__, members, namespace={"__doc__": head})
        parts.append((f"part_{len(parts)}", Annotated[part, tyro.conf.arg(name=head.partition(":")[0].lower())]))
    tyro.cli(make_dataclass(parameters.__name__, parts, namespace={"__doc__": parameters.__doc__}),
             args=arguments, config=(tyro.conf.OmitArgPrefixes,), registry=_readable())


def _default(value: object, shown: str) -> str:
    """Return what help says of a default; tyro would show a text as a shell wants it, in quotes."""
    text = value if isinstance(value, str) else shown
    return f"(default: {text or 'none'})"


@cache
def comments(name: str, script: Path) -> dict[str, tuple[str, str]]:
    """Return the comments of a class's fields as {field: (of its section, its own)}, "" where there are none.

    A field's own comment stands behind it, or right above it. The one above a field that has another behind it, or a
    comment that stands alone, heads the section of the fields that follow.
    """
    import tokenize

    found, section, above, behind, word = {}, "", [], [], ""
    with tokenize.open(script) as file:
        lines = iter(file)
        first = next(line for line in lines if line.startswith(f"class {name}"))
        for token in tokenize.generate_tokens(iter([first, *lines]).__next__):
            if token.type == tokenize.DEDENT and token.start[1] == 0:
                break  # the class is over
            if token.type == tokenize.COMMENT:
                (behind if word else above).append(token.string.lstrip("# "))
            elif token.type == tokenize.NAME:
                word = word or token.string  # the first of a statement, which for a field is its name
            elif token.type == tokenize.NEWLINE:
                section = " ".join(above) if above and behind else section
                found.setdefault(word, (section, " ".join(behind or above)))  # a method may use the name again
                above, behind, word = [], [], ""
            elif token.type == tokenize.NL and not token.line.strip():
                section, above = " ".join(above) or section, []
    return found


# --- how scripts end --------------------------------------------------------------------------------------------------

@contextmanager
def _obeyed(interrupted: Callable[[], int]) -> Iterator[None]:
    """Let Ctrl-C end the process soon, also while a library computes: Python hears of it only when that is done.

    Whatever a script writes appears whole or not at all, so that the end may come at any time.
    """
    hearing, heard, ended = *socket.socketpair(), threading.Event()

    def watch():
        while received := hearing.recv(1):
            if received[0] == signal.SIGINT and not ended.wait(GRACE):
                code = interrupted()
                sys.stdout.flush()
                os._exit(code)

    heard.setblocking(False)
    before = signal.set_wakeup_fd(heard.fileno())
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        heard.close()


def _complain(script: str, message: str, code: int) -> int:
    print(f"{script}: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return code


class Timings:
    """Milliseconds by phase. A phase ends where it is named; a module's import counts where it is first needed."""

    def __init__(self, start: float):
        """`start`, by time.perf_counter, is when the first phase began."""
        self.last, self.milliseconds = start, {}

    def end(self, phase: str) -> None:
        """Count the time since the last phase ended as this phase's."""
        now = time.perf_counter()
        self.milliseconds[phase] = self.milliseconds.get(phase, 0.0) + 1000 * (now - self.last)
        self.last = now

    def __str__(self) -> str:
        phases = ", ".join(f"{phase} {value:.0f}" for phase, value in self.milliseconds.items())
        return f"timings, ms: {phases}; together {sum(self.milliseconds.values()):.0f}"
