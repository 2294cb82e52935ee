"""Who executes: the paper broker, and others behind the same seam."""
