"""MyNet, the network of report A that its author tuned by hand to 87 %: 7,600,402 parameters."""

from .architecture import POOL, Architecture
from .inception_spec import specify_inception

mynet = specify_inception(
    "mynet",
    "MyNet",
    Architecture(
        stem=128,
        stages=(
            ("a3", 32, 48, 64, 8, 16, 16),
            ("b3", 64, 96, 128, 16, 32, 32),
            POOL,
            ("a4", 160, 96, 256, 16, 64, 64),
            ("b4", 256, 128, 256, 64, 128, 128),
            ("c4", 256, 128, 256, 64, 128, 128),
            POOL,
            ("a5", 256, 256, 512, 64, 128, 128),
            ("b5", 384, 192, 384, 48, 128, 128),
        ),
    ),
)
