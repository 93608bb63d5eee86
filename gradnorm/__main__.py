"""`python -m gradnorm`."""

import sys

from gradnorm.cli import main

if __name__ == "__main__":
    sys.exit(main())
