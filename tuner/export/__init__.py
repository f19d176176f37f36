"""A study for other tools: its trials, curves, configurations and costs.

tables.py       trials and epochs as rows
files.py        the rows as CSV or JSON lines; nothing that is there is overwritten unasked
tensorboard.py  a run a trial, for TensorBoard
copy.py         the study with its trials in another storage, for Optuna
"""
