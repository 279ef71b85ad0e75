"""Lists for everybody on disk: blocks of lists become one file, or a folder of parts.

list_file   one file, Parquet, CSV or JSONL, written a block at a time and put in place at the end
parts       a folder of Parquet parts, each whole or absent, of one model and its settings
"""
