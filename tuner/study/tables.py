"""Our tables, and the columns of Optuna's that we read. Everything else goes through Optuna's own calls."""

from __future__ import annotations

import sqlalchemy as sa
from optuna.trial import TrialState

metadata = sa.MetaData()
UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)

# One row a study. `slots` is its total of trials. `turn` is only ever updated: first, in every transaction that counts or
# makes trials, so that SQLite takes its write lock and PostgreSQL the row's lock before anything is read. No foreign key:
# Optuna's own tools must be able to delete a study; `uid` tells a row whose study is gone from its successor's.
studies = sa.Table(
    "tuner_studies",
    metadata,
    sa.Column("study_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("uid", sa.String(32), nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("stops", sa.Integer, nullable=False),
    sa.Column("searched", sa.Float(53), nullable=False),
)

# One row a trial that was ever claimed. `owner` is the id of the worker that holds it, `beat` its last heartbeat, `epoch` the
# fence: it rises whenever the lease is given or taken away, and a writer that names an older one is refused. `deaths` counts
# crashes of its workers.
leases = sa.Table(
    "tuner_leases",
    metadata,
    sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("study_id", sa.Integer, nullable=False, index=True),
    sa.Column("owner", sa.String(300), nullable=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("beat", sa.Float(53), nullable=False),
    sa.Column("deaths", sa.Integer, nullable=False),
)

# One row a trial that came to a rung, or ended, under the pruner `promote`. Up to `epoch` it was decided on; with `paused` it waits
# there, on the machine `host`, until it is taken up (`taken`: "promotion", "race" or "audit", in a study of `slots` trials).
# `turn` is the study's at the row's last change, so that what changed is read, and nothing else. Newer than the first two
# tables: a database of an earlier version gets it when it is opened.
pauses = sa.Table(
    "tuner_pauses",
    metadata,
    sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("study_id", sa.Integer, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("host", sa.String(300), nullable=False),
    sa.Column("taken", sa.String(16), nullable=True),
    sa.Column("slots", sa.Integer, nullable=True),
    sa.Index("ix_tuner_pauses_turn", "study_id", "turn"),
)

# One row a fact of a trial that is long: its configuration, its curve, ... (`facts.py`). By the study too, because SQLite gives
# out the number of a trial again that another tool deleted with its study. Newer than the first two tables, as `pauses` is.
facts = sa.Table(
    "tuner_facts",
    metadata,
    sa.Column("study_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value_json", sa.Text, nullable=False),
)

# One row a trial of another study that the sampler of this one is told of (`earlier.py`): its parameters as JSON, and for a
# pruned one the epoch of its value. Newer than the first two tables, as well.
earlier = sa.Table(
    "tuner_earlier",
    metadata,
    sa.Column("study_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("value", sa.Float(53), nullable=True),
    sa.Column("step", sa.Integer, nullable=True),
    sa.Column("params", sa.Text, nullable=False),
)
# One row a study that was given a rule to end it before its total (`stopping.py`), with what each rule decided, as JSON. Newer than the
# first two tables, as well.
stopping = sa.Table(
    "tuner_stopping",
    metadata,
    sa.Column("study_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("budget", sa.Float(53), nullable=True),
    sa.Column("patience", sa.Integer, nullable=True),
    sa.Column("images", sa.Integer, nullable=True),
    sa.Column("flat_json", sa.Text, nullable=True),
    sa.Column("spent_json", sa.Text, nullable=True),
)

# One row a trial of a study with a budget (`costs.py`), in seconds. Newer than the first two tables, as well.
costs = sa.Table(
    "tuner_costs",
    metadata,
    sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("study_id", sa.Integer, nullable=False, index=True),
    sa.Column("seconds", sa.Float(53), nullable=False),
    sa.Column("epoch", sa.Float(53), nullable=True),
    sa.Column("whole", sa.Float(53), nullable=True),
    sa.Column("rest", sa.Float(53), nullable=False),
)
FIRST_TABLES = {"tuner_studies", "tuner_leases"}  # by them a database is known to be ours

trials = sa.table(
    "trials",
    sa.column("trial_id", sa.Integer),
    sa.column("number", sa.Integer),
    sa.column("study_id", sa.Integer),
    sa.column("state", sa.Enum(TrialState)),
)

values = sa.table("trial_intermediate_values", sa.column("trial_id"), sa.column("step"), sa.column("intermediate_value"))
final_values = sa.table("trial_values", sa.column("trial_id"), sa.column("objective"), sa.column("value"))

# A trial that took over another's figures has the attribute `same_as`: it costs no slot.
attributes = sa.table("trial_user_attributes", sa.column("trial_id", sa.Integer), sa.column("key", sa.String))
is_copy = sa.exists().where(attributes.c.trial_id == trials.c.trial_id, attributes.c.key == "same_as")


def list_tables(connection: sa.Connection) -> list[sa.Table]:
    """Those of our tables that the database has."""
    inspector = sa.inspect(connection)
    return [table for table in metadata.sorted_tables if inspector.has_table(table.name)]
