"""The persistent study: its rows, who may train the next trial, what was found. Knows nothing of training.

storage.py       a URL becomes one Optuna storage
tables.py        our two tables beside Optuna's
retry.py         outages of the database, waited out
processes.py     what this machine says of its processes
worker_id.py     a worker's process, and whether it still lives
lease.py         the right to write a trial
leases.py        exact totals, claims, and every write of a leased trial; holders.py which workers hold which trials
stopping.py      rules that end a study early; stopping_leases.py claims under them; flat.py and costs.py what they read
cost_model.py    seconds of an epoch from a configuration's size; forecast.py the same from a study's own trials
search_space.py  a study's dimensions as Optuna knows them; what a trial draws
samplers.py      Optuna's samplers, seeded by trial; pruners.py its pruners
outcome.py       how a trial ended
trials.py        trials as plain rows, best first
files.py         which files on the disk are a study's own
finished.py      finished trials, read again only when there are more; frozen.py reads them, many at once
study.py         a study; studies.py those of a storage: listed, loaded, created, deleted
"""
