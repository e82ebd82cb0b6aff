"""Measures this gateway beside two baselines and the ceiling of the machine, on a real Apache Kafka.

    make bench
    make bench-growth

``variants`` lists what is measured, ``measure`` how; docs/performance.md says how to read it.
"""

import sys
from pathlib import Path

# Where pytest finds `broker`, for `python -m bench` too.
_BROKER = str(Path(__file__).parent.parent / "deploy" / "kafka")
if _BROKER not in sys.path:
    sys.path.append(_BROKER)
