"""What a study file and a configuration file say, checked when read. Imports no torch, no Optuna and no NumPy.

hyperparameters.py  what each may be, and what it is when a study does not name it
objective.py        what is optimised, and which way is better
dimension.py        a choice or a range of one of them
data_sources.py     where images may come from
samplers.py         Optuna's samplers by name, and pruners.py its pruners
data_config.py      which images a network sees
trial_config.py     everything that decides a training run; its file
study_config.py     what is fixed, what is searched, and how
study_files.py      where a study's name is looked for
yaml_file.py        YAML as our users mean it
checks.py           checks that every value needs
"""
