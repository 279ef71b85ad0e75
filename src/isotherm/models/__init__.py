"""Every model behind one contract.

base           the contract: fit, recommend, explain, save and the rest, in ids and frames
scorer         what a model writes: learning and scoring, in rows and columns
fitting        checks what a fit is given, and learns on a copy
fit_inputs     clicks, items and options of a fit
requests/      ids and histories become rows, scores become lists
registry       every model by its name
persistence    saves and loads any model
catalogue      the items that a model knows
choice/        settings that a model learns, on clicks that are hidden
parameter_docs what a class says of its hyper-parameters
popularity     the most clicked items: the floor
mmr            any model with lists that are more varied
neighbours/    ItemKNN, ContentKNN
linear/        EASE, SLIM
factorization/ iALS
cold_start/    what MARec and kernel ridge share for new items
marec/         MARec: metadata aligned with a backbone
kernel_ridge/  kernel ridge regression on metadata
vae/           Mult-VAE, Mult-DAE, RecVAE
"""
