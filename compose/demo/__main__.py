"""`python -m compose.demo`, from the repository's root."""

import sys

from compose.demo.demo import main

sys.exit(main())
