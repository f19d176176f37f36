"""The one place where the trials of studies are trained: by worker processes, under a supervisor.

objective.py    a leased trial becomes a training run, and its end the trial's
leased_trial.py every write of a trial proves the lease
reporter.py     an epoch's checkpoint, its report, and whether the trial is pruned, in this order
budget.py       what a trial took of the study's budget, and whether its next epoch fits it
pace.py         steps within an epoch, counted and said now and then
events.py       what workers, supervisor and the live view tell each other
heartbeats.py   says now and then that a worker lives, so that nobody takes its trial over
worker.py       claims trials and trains them until the study is full or it is told to stop
supervisor.py   starts workers, restarts dead ones, and ends them all
engine.py       what a supervisor needs of whatever places its workers
local.py        workers as processes of this machine
on_ray.py       workers on a Ray cluster
"""
