"""What every test stands on: its area, its chance, and no setting of the operator's own."""

import os
import signal

import hypothesis

pytest_plugins = ["tests.areas", "tests.engine"]

# A test reads no setting of whoever runs it; what it needs it passes on.
for name in [n for n in os.environ if n.startswith("TM_") and n != "TM_REQUIRE"]:
    del os.environ[name]

# A shell that starts this in the background lets it, and all that it starts, ignore an interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile(
    "every run", deadline=None, print_blob=True, derandomize="CI" in os.environ
)
hypothesis.settings.register_profile(
    "nightly", parent=hypothesis.settings.get_profile("every run"), max_examples=2000
)


def pytest_configure(config):
    hypothesis.settings.load_profile("nightly" if config.getoption("--nightly") else "every run")
