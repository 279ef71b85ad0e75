"""The networks: from clicks to a posterior over latent points, and from a point to item logits.

layers          encoder and decoder of Multi-VAE, Multi-DAE and RecVAE
item_table      weights with one row per item, and sums of them over a user's clicks
last_layer      the items-wide array of a step, over all items or over a sample of them
softmax         multinomial log-likelihoods of its logits
squared_error   squared errors of its logits
in_place_adam   Adam on a table within the backward pass
kernels         its compiled loops
batch           a batch of users as CSR tensors
scoring         posteriors and logits of users, for validation, evaluation and serving alike
"""
