"""The errors that mean: the input is wrong, not the program."""


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
