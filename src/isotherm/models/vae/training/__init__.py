"""The training of a network.

trainer         the loop
settings        epochs, batches, optimiser, early stopping, precision
checkpoint      the folder of a run, to go on from after a crash
validation      early stopping's own ranking
devices         device, precision and the processes that share a run
interrupt       Ctrl-C waits for the end of a step
"""
