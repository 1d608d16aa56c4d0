"""``python -m lrmp`` is the ``lrmp`` command."""

import sys

from lrmp.cli import main

sys.exit(main())
