"""``python -m minigrad``: the commands, where the script ``minigrad`` is not on the path."""

import sys

from minigrad.cli import main

sys.exit(main())
