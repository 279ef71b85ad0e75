"""The steps: r0001 items, events and histories; r0002 exposures and model swaps."""
