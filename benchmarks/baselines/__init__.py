"""Published ways to recommend brand-new items, behind the model contract: what isotherm is measured against.

Small and plain, with the authors' own training objectives; not part of the library.
"""
