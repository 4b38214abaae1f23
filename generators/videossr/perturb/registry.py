"""All perturbations by name."""

from synthmill.generators.videossr.perturb import colour, space, time
from synthmill.generators.videossr.perturb.base import Perturbation

# The 14 of the paper (Table 8), then the three that only the released code has.
PAPER: tuple[Perturbation, ...] = (
    colour.Saturation(),
    colour.Noise(),
    colour.Blur(),
    colour.Grayscale(),
    colour.Invert(),
    colour.ChannelSwap(),
    space.ZoomIn(),
    space.Rotate180(),
    space.ZoomOut(),
    space.Mirror(),
    time.Slow(),
    time.Fast(),
    time.StutterHold(),
    time.Shuffle(),
)
CODE_ONLY: tuple[Perturbation, ...] = (space.Rotate90(), space.Rotate270(), time.Swap())
PERTURBATIONS: dict[str, Perturbation] = {p.name: p for p in PAPER + CODE_ONLY}
