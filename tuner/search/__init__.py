"""From what was asked for to a finished search.

request.py  what was asked for, checked
run.py      a study created or continued, and its workers supervised
dry_run.py  what a search would do and cost
measuring.py  real steps of its smallest and its largest network
join.py     working on searches that other commands began
results.py  a study as Python sees it: its trials, the best, its pictures
"""
