"""Sweeps: grids of settings, trained and measured a cell at a time.

grid            values that are swept, and the settings they stand for
plan            what is swept, and how each cell is ranked and measured
folder          where a sweep keeps its plan, log, results and models
processes       cells in processes of their own
cell            one cell: train, rank, measure
parent_process  the end of a cell with its sweep
sweep           all of it
"""
