"""Lists of symbols, as the command line spells them."""


def listed(text: str | None) -> tuple[str, ...]:
    """Return the symbols of "AAPL,KO", each once, in their order; none for None."""
    words = (word.strip() for word in (text or "").split(","))
    return tuple(dict.fromkeys(word for word in words if word))
