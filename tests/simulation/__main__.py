"""`python -m tests.simulation --seeds N --start S`: many worlds, and what came of them.

`--mutation NAME` breaks the product first, on purpose, in one of the ways of `mutations`.
"""

import sys

from tests.simulation.mutations import loaded

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--mutation" in arguments:
        at = arguments.index("--mutation")
        loaded(arguments[at + 1])
        del arguments[at : at + 2]

    from tests.simulation.command import main

    sys.exit(main(arguments))
