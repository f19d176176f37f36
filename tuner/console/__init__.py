"""What a terminal shows: results on stdout, progress and remarks on stderr.

text.py      numbers, names and small curves as people read them
tables.py    trials as tables
listing.py   a study's trials, sorted, in the columns that there is room for, or as CSV
narrow.py    tables on terminals that are too narrow for them
curves.py    learning curves in dots
show.py      a study or a trial, whole
training.py  how far `tuner train` is
retrained.py what `tuner train` found
progress.py  the facts of a running search, and plain lines of them
live.py      the live view of them
ticker.py    what a command is doing, and for how long already
"""
