"""The command line: one thin file per command.

app             the commands under one name
demo fit recommend similar explain evaluate geometry sweep datasets refit events     a command each
main            runs one command and ends the process; process does what of it may be imported late
options         options that several commands share, in groups, and what they read
option_groups   a dataclass of options as an argument of a command
split_options   what evaluate hides
compared_models what evaluate compares
item_sets       tables of items to show or to leave out
model_help      a model's settings in words
outputs         what a command will write, checked before any work
results         results on a terminal
"""
