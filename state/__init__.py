"""What we know: facts, orders, the ledger, their rules, and the journal that remembers."""
