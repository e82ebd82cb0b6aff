"""A fault sweep: numbered events under load while real processes stop, hang and die; then the proof.

    make sweep

``faults`` holds the faults, ``oracle`` what must hold after each of them.
"""

import sys
from pathlib import Path

# Where pytest finds `broker`, for `python -m tests.sweep` too.
_BROKER = str(Path(__file__).parent.parent.parent / "deploy" / "kafka")
if _BROKER not in sys.path:
    sys.path.append(_BROKER)
