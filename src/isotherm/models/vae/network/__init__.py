"""The networks: from clicks to a posterior over latent points, and from a point to item logits.

layers          encoder and decoder of Multi-VAE, Multi-DAE and RecVAE
item_table      weights with one row an item, and the products that meet them
kernels         compiled steps over such tables on a CPU
batch           a batch of users as CSR tensors
scoring         posteriors and logits of users, for validation, evaluation and serving alike
"""
