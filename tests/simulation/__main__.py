"""`python -m tests.simulation --seeds N --start S`: many worlds, and what came of them."""

import sys

from tests.simulation.command import main

if __name__ == "__main__":
    sys.exit(main())
