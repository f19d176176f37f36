"""One process a slot, supervised.

worker.py       claims trials and trains them until the study is full or it is told to stop
supervisor.py   starts workers, restarts dead ones, and ends them all
engine.py       what a supervisor needs of whatever places its workers
local.py        workers as processes of this machine
on_ray.py       workers on a Ray cluster
"""
