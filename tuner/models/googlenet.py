"""GoogLeNet as report A shaped it for 32x32 images: 7,730,922 parameters."""

from .architecture import POOL, Architecture
from .inception_spec import specify_inception

googlenet = specify_inception(
    "googlenet",
    "GoogLeNet",
    Architecture(
        stem=192,
        stages=(
            ("a3", 64, 96, 128, 16, 32, 32),
            ("b3", 128, 128, 192, 32, 96, 64),
            POOL,
            ("a4", 192, 96, 208, 16, 48, 64),
            ("b4", 160, 112, 224, 24, 64, 64),
            ("c4", 128, 128, 256, 24, 64, 64),
            ("d4", 112, 144, 288, 32, 64, 64),
            ("e4", 256, 160, 320, 32, 128, 128),
            POOL,
            ("a5", 256, 160, 320, 32, 128, 128),
            ("b5", 384, 192, 384, 48, 128, 128),
        ),
    ),
)
