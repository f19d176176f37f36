"""The tests. Every process that they start waits for its threads asleep.

Two tests run at once, and a search of each may train with as many threads as there are cores: threads that spin while
they wait for one that has no core make a step several times as long. What is computed is the same.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before PyTorch is imported, which reads it once
