"""The one error that means: the input is wrong, not the program."""


class InputError(ValueError):
    """What a user or the web supplied cannot be used.

    The message is one line that says what arrived and what was wanted. Scripts print it and end with exit code 2;
    batches print it and go on.
    """
