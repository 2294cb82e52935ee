"""Plots of reply data. Only what draws imports matplotlib, and only when it is asked to."""
