"""What a report in English says of a network's cost, of limits and of the front."""

from __future__ import annotations

COSTS = {
    "best_size_macs": "{network}, here of {parameters} parameters and {macs} multiply-adds an image,",
    "reason_too_slow": "{reason}",
    "cost_parameters": "parameters",
    "cost_macs": "multiply-adds",
    "cost_milliseconds": "milliseconds an image",
    "column_parameters": "Parameters",
    "column_macs": "Multiply-adds",
    "column_milliseconds": "Milliseconds an image",
    "front": "The front",
    "front_text": "{number} trials lie on the front, where no trial of no more {cost} is more accurate: from {first} "
    "({first_accuracy} for {first_cost}) to {last} ({last_accuracy} for {last_cost}).",
    "front_one": "One trial is the whole front: {first} ({first_accuracy} for {first_cost}). No trial of no more {cost} is "
    "as accurate, and none of more is better.",
    "front_rule": "A trial was held against those alone that cost about as much or less, so that no small network was given up "
    "for a large one.",
    "front_caption": "Accuracy against {cost} of each trial; the line joins the front.",
    "left_paused_front": "Of the trials that paused, {number} stayed there; the chance that any would have been on the front is "
    "about {chance} %.",
    "audited_front": "Trained to the end all the same, to check the pruner: {sentence}.",
    "pruned_pauses_front": "every trial paused after its first epochs, and only those went on that still stood a chance of a place on "
    "the front",
    "p_macs": "Accuracy against multiply-adds",
    "p_macs_axis": "Multiply-adds of one image",
    "p_milliseconds": "Accuracy against latency",
    "p_milliseconds_axis": "Milliseconds for one image",
    "p_parameters": "Accuracy against size",
    "p_parameters_axis": "Parameters of the network",
}
