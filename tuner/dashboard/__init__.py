"""optuna-dashboard on our storage, and what we add to it.

server.py     served behind its door
door.py       who may ask for what
channel.py    the door in front of waitress
publish.py    notes, plots and artifacts brought up to date
notes.py      Markdown on a study and its trials
plots.py      the plots that optuna-dashboard does not have
artifacts.py  files that belong to trials
"""
