"""One training run: from a configuration to its last epoch. Knows nothing of studies.

run.py         a generator of epochs that can stop after any of them and be resumed
evaluation.py  loss and accuracy of a network on a part of the images; counts.py has what other objectives count
optimizer.py   the optimiser, and its learning rate at each step
class_weights.py  the loss where classes weigh differently
metrics.py     loss and hits, summed on the device
score.py       the figures of an epoch
checkpoint.py  a run on disk, whole at any moment; checkpoint_writer.py writes it beside the next epoch
state.py       what a checkpoint says, checked before it is loaded
folder.py      what a training outright leaves in its folder, and whose it is
cuda_graph.py  a step recorded once and replayed
memory.py      when a device has too little, how much was used
malloc.py      how the process keeps the memory that training frees
provenance.py  with what, and on what, a run was made
"""
