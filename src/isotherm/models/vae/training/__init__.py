"""The training of a network.

trainer         the loop: epochs, phases, batches
run_setup       what a training reads
settings        epochs, batches, optimizer, early stopping, precision
forward         the forward pass of a step
optimizer       Adam: dense weights by torch, item tables within the backward pass
averaging       the average of the weights over the steps
processes       the processes that share a training: sums, the first one's word
devices         device, precision of the products
validation      early stopping's own ranking
divergence      numbers that are no longer finite
progress        how far a run is
run_state       all that training changes, to a checkpoint and back
run_folder      the folder of a run: checkpoint and log
recorder        when what is written there
fingerprint     what a run folder belongs to
interrupt       Ctrl-C waits for the end of a step
"""
