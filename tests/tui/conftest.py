"""Makes the fakes beside this file importable: `import screen_fakes`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
