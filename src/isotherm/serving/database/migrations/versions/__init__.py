"""The steps: r0001 items, events and histories; r0002 exposures and model swaps;
r0003 exposures by lists, and generations of models."""
