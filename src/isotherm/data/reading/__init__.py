"""Tables as they come: of every format, with one clear error for what cannot be used.

tables        files and frames as tables; their columns of ids
source_files  the files that a path, a folder or a pattern names
formats       Parquet, CSV and TSV, JSON lines
delimited     CSV and TSV: all text, gzipped or not
id_types      what an id may be, and how ids of two types compare
times         times as numbers, ISO dates, or a frame's own
place         where a value stands, for messages
"""
