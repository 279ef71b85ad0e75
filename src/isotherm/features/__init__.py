"""Item metadata -> vectors by field -> similarities and kernels of items, a band of rows at a time.

encoding              which fields are read, and how: the settings
encoders/             a class for each kind of field: categories, words, numbers, sentences, pictures
field_encoders        the fitted encoders of an item table
field_vectors         what an encoder makes of a field: sparse vectors, dense vectors, numbers
field_errors          what is said of a table with other fields
encoded_items         the vectors of some items, field by field
similarity            shrunk cosines (MARec, eq. 3-4), products and closeness, through indexes
metadata_similarity   the similarities of all fields and of their pairs (MARec, eq. 5)
metadata_kernel       positive semi-definite kernels of all fields
kernel_scaling        what makes a kernel of a field's vectors: shrunk norms, whitening
kernel_index          kernels between items and a catalogue, by term or weighted
feature_stack         all fields side by side as one sparse matrix
siamese/              one vector per item, learned from clicks (MARec, §1.1)
profiles              categories and tags alone, for what is measured on lists
"""
