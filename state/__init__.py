"""What we know: facts, orders, the ledger, the rules that bind them, and the journal that remembers."""
