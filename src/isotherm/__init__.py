"""Recommend brand-new items as well as well-known ones, from clicks and item metadata."""

__version__ = "0.1.0"
