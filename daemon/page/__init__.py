"""What is looked at over HTTP: health, metrics, and a page for operators that only reads."""
