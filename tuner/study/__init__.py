"""The persistent study: where its rows are, who may take the next trial, what was found.

storage.py    URL -> one Optuna storage
retry.py   outages waited out
owner.py      who holds a lease: a process, and whether it still lives
claim.py      what the leases hands out
leases.py     totals, claims and leases: our two tables beside Optuna's
finished.py   finished trials, read again only when there are more
sampler.py    Optuna's samplers and pruners, seeded by trial
study.py     a study found, made or gone on with
trials.py     trials as plain rows, best first
"""
