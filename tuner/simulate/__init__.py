"""What a search would have cost under another pruner: recorded learning curves replayed, nothing trained.

recording.py   sets of curves: the shipped ones, those of a file
own_curves.py  those of a study
rules.py       the pruners as the replay asks them: Optuna's own classes, and the rule that pauses
light_study.py what Optuna's pruners read of a study
replay.py      one search replayed by some workers
costs.py       many replays: what each pruner costs and loses, with intervals
surrogate.py   a study's curves foretold from its own trials
sampling.py    samplers judged on a surrogate
run.py         all that was asked for, as rows, tables and a sentence
picture.py     and as a picture
"""
