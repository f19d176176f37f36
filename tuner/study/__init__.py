"""The persistent study: where its rows are, who may take the next trial, what was found.

storage.py    URL -> one Optuna storage, outages waited out
ledger.py     totals, claims and leases: our two tables beside Optuna's
sampler.py    Optuna's samplers and pruners, seeded by trial
record.py     a study found, made or gone on with
trials.py     finished trials as plain rows, best first
"""
