"""Reading, measuring and writing videos, for every generator that works on them.

PyAV and Pillow (the extra `video`) are imported where they are used, in worker processes.
"""

import os

# SVT-AV1 prints a page about itself per encoder; 1 leaves errors only.
os.environ.setdefault("SVT_LOG", "1")
