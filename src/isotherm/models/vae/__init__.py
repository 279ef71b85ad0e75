"""Variational autoencoders: one file per idea — networks, objective, masking, beta, anchors, training."""

from importlib.util import find_spec

from isotherm.errors import MissingPackageError

if find_spec("torch") is None:
    raise MissingPackageError("multvae, multdae and recvae need torch: pip install 'isotherm[vae]'")
