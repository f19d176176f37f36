"""One process a slot, supervised.

worker.py       claims trials and trains them until the study is full or it is told to stop
supervisor.py   starts workers, restarts dead ones, and ends them all
"""
