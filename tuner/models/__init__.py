"""The networks whose hyper-parameters can be searched. Imports no torch.

spec.py                 what the rest of the code needs to know of a network
mynet.py googlenet.py   one network each
architecture.py inception_spec.py inception.py   inception networks, plain
forms.py merged.py layers.py   the form that trains fastest
finetuned.py bare.py    torchvision's networks with a head for the classes at hand
tuned.py stages.py      their form in training: parts of it may stand still
initial.py              the weights that such a network begins with
weights.py              weights in a file, and the network that they belong to
pretrained.py           torchvision's pretrained networks
own_network.py          a network of the user's own, in a file
own_code.py             which file that is, its digest, and what it defines
"""

from __future__ import annotations

from pkgutil import resolve_name

from ..errors import UsageError, nearest
from .finetuned import is_torchvisions, specify_torchvision
from .own_code import is_own
from .own_network import specify_own
from .spec import ModelSpec

# A network is a file beside this one, with a ModelSpec of the file's name in it, and a line here.
NAMES = (
    "mynet",
    "googlenet",
)
MODELS: dict[str, ModelSpec] = {name: resolve_name(f"{__name__}.{name}:{name}") for name in NAMES}
assert all(spec.name == name for name, spec in MODELS.items()) and len(MODELS) == len(NAMES), "a network has another name, or stands twice"


def find_model(name: str) -> ModelSpec:
    """The network of that name, of torchvision's or of the user's own; an unknown one is a UsageError that names the nearest."""
    if is_torchvisions(name):
        return specify_torchvision(name)
    if is_own(name):
        return specify_own(name)
    if name not in MODELS:
        raise UsageError(f"unknown model {name!r}: {nearest(name, [*MODELS, 'torchvision:NAME'])}")
    return MODELS[name]
