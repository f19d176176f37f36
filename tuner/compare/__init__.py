"""Networks side by side on the same images.

contestants.py  what is compared: a network, its weights, how it wants its images
batches.py      image files and resident images as batches
race.py         one pass over the images for all networks that see them alike
cost.py         parameters, multiply-accumulates, memory
rows.py         one trial a network in an Optuna study: found, claimed, resumed, ended
figures.py      intervals, paired tests, the order
table.py        the comparison as a table and in words
run.py          from the command line's request to the rows
report.py       the report of a comparison
"""
