"""How we are asked: the wire, the typed client and the `tm` commands."""
