"""The seconds that docs/interactive-brokers.md states for what a gateway does."""

READY_AGAIN = 150.0  # after the gateway lets us in: the last wait of Keeper, of Link, and the books
SERVERS_BACK = 60.0  # after 1101 or 1102: the last wait of Link, and the books
SAID = 30.0  # until the log says what is wrong: ib.patience, and a try
