"""The errors that mean: the input is wrong, not the program; and checks that raise them."""

import types
import typing


class InputError(ValueError):
    """What a user or the web supplied cannot be used.

    The message is one line that says what arrived and what was wanted. Scripts print it and end with exit code 2;
    batches print it and go on.
    """


class SettingError(InputError):
    """A setting that cannot be used. The message begins with its name, or with several names and "and" between them.

    A script puts the flags that it has for them in their place.
    """


def check_range(settings: object, **ranges: tuple[int, int]) -> None:
    """Raise SettingError where an attribute of the settings is outside of its (lowest, highest)."""
    for name, (lowest, highest) in ranges.items():
        if not lowest <= (value := getattr(settings, name)) <= highest:
            raise SettingError(f"{name} {value}, wanted {lowest} to {highest:,}")


def check_types(checked: object, of: str = "") -> None:
    """Refuse a dataclass with a value of another type than its field's. Raises InputError; `of` begins its message."""
    for name, wanted in typing.get_type_hints(type(checked)).items():
        value = getattr(checked, name)
        if not fits(list(value) if isinstance(value, tuple) else value, wanted):
            raise InputError(f"{of}{name} {short(value)}, wanted {type_name(wanted)}")


def fits(value: object, hint: object) -> bool:
    """Return whether a value of JSON has a type: bool, int, float, str, None, Literal; tuple, dict, union of these."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments and isinstance(value, str)
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(arguments) and all(map(fits, value, arguments))
    if origin is dict:
        return isinstance(value, dict) and all(fits(key, arguments[0]) and fits(each, arguments[1])
                                               for key, each in value.items())
    if hint is object:
        return True
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def short(value: object) -> str:
    """Return a stranger's value for a message: one line, plain letters, not long."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def type_name(hint: object) -> str:
    """Return how a type is called in a message."""
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
