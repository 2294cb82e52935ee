"""The checks of an audit: each a small pure function, by what it looks at."""
