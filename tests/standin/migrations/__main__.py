"""`python3 -m standin.migrations postgres|clickhouse`, called by web's entry point."""

import os
import sys

from . import clickhouse, postgres

if __name__ == "__main__":
    run = {"postgres": postgres.main, "clickhouse": clickhouse.main}[sys.argv[1]]
    sys.exit(run(os.environ))
