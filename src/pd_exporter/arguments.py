"""Types of command-line arguments that several commands take."""

import argparse
import math


def seconds(text: str) -> float:
    """A time in seconds: more than none, and at most an hour.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, up to 3600")
    return number
