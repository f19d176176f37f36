"""English sentences for objectives other than accuracy.

In `FIGURE` and `LOSS` they stand in place of those of the same key in `en.py`, with the objective's name at {figure}, at {Figure} where
a sentence begins. Those of `LOSS` are for what is minimised. `MORE` are further sentences of every report.
"""

from __future__ import annotations

MORE = {
    "uncounted": "No interval is given: a trial's value is no share of the images.",
    "interval_classes": "Each class counted apart, on {images} validation images in all, that balanced accuracy lies between {low} and "
    "{high} (95 % interval). The best of many is rather lower on new images, because it was chosen on these.",
    "ties_classes": "It cannot be told apart from {trials}, of {number} others (95 % interval of the difference).",
    "ties_many_classes": "It cannot be told apart from {tied} of {number} others, {trials} among them (95 % interval of the difference).",
    "ties_none_classes": "The {number} other finished trials differ from it by more than chance (95 % interval of the difference).",
    "weighed": "In training each image's loss was weighed by how rare its class is among the training images.",
}
NAMES = {"balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1", "val_loss": "loss", "top5": "top-5 accuracy"}
FIGURE = {
    "no_accuracy": "no value",
    "asked": "Which configuration of {networks} has the best validation {figure} on {source}?",
    "best": "{trial} is the best: {network} has a validation {figure} of {accuracy}. It trained for {epochs} in {time}.",
    "best_with": "{trial} is the best: {network} has a validation {figure} of {accuracy} with {values}. It trained for {epochs} in {time}.",
    "uncounted": "No interval is given: the validation {figure} is no share of the images.",
    "interval": "Counted on {images} validation images, that {figure} lies between {low} and {high} (95 % interval, Wilson). "
    "The best of many is rather lower on new images, because it was chosen on these.",
    "course_caption": "Validation {figure} of each trial in the order in which they were begun, and the best up to there.",
    "held_out": "Each trial was scored on a validation part, {share} % of the training images, which no trial was trained on. "
    "All figures here are of that part unless they say otherwise. No trial was trained or chosen on the test images.",
    "value_last": "A trial's value is the validation {figure} of its last epoch.",
    "value_best": "A trial's value is the validation {figure} of its best epoch.",
    "improved_times": "The best {figure} was improved {times} in {number} attempts. Here are the first attempt and {which}, in order.",
    "most_accurate": "The best {number} of them, in order; `tuner show` lists all.",
    "column_accuracy": "{Figure}",
    "last_epoch": "In its last epoch {trial} had an accuracy of {validation} on the validation part and of {training} on the training part",
    "best_epoch": "In epoch {epoch}, the best of its {epochs}, {trial} had an accuracy of {validation} on the validation part and of "
    "{training} on the training part",
    "curves_caption": "Validation {figure} per epoch of all trials. Those that were not trained to the end are set apart.",
    "parameters_caption": "Validation {figure} against parameters of each trial.",
    "seconds_caption": "Validation {figure} against seconds of training of each trial.",
    "parallel_caption": "A line is a trial, its height on each axis the value of that hyper-parameter; bright lines are good.",
    "slices_caption": "Validation {figure} of each trial against each hyper-parameter on its own.",
    "p_val_axis": "Validation {figure} (%)",
    "p_course": "The course of the best {figure}",
    "p_curves": "Validation {figure} per epoch, all trials",
    "p_curves_some": "Validation {figure} per epoch, {shown} of {number} trials",
    "p_size": "{Figure} against size",
    "p_time": "{Figure} against training time",
    "p_slices": "{Figure} by hyper-parameter",
}
LOSS = {
    "hand_lost": "By hand against the search: the best of the {given} given beforehand, {hand}, reached {hand_accuracy}; the search "
    "reached {accuracy} with {search}, {gap} less.",
    "hand_won": "By hand against the search: the best of the {given} given beforehand, {hand}, reached {hand_accuracy}; the search "
    "came to {accuracy} with {search}, {gap} more.",
    "new_best": "It reached {value}, {gap} less: the new best.",
    "worse": "It reached {value}, {gap} more, so {before} stayed the best.",
    "outcome_worse": "{gap} more",
    "pruned": "It was pruned after epoch {epoch}{reached}, above the others at that epoch{standing}.",
    "near_parameters": "Within 0.01 of the best, at {accuracy}, lies a trial of {spent} parameters, {share} % of the best one's.",
    "near_seconds": "Within 0.01 of the best, at {accuracy}, lies a trial of {spent} seconds, {share} % of the best one's.",
    "p_val_axis": "Validation {figure} (cross entropy per image)",
}
