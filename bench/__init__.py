"""Figures behind the claims: ratios beside a rival or a limit, measured in one run."""
