"""Slow, literal, dense float64 versions of the papers' formulas: what the fast code must equal."""
