"""`python3 -m backend.launch COMMAND`: says so when this Python is too old; else hands over to the commands."""

import sys

# This file alone must also be readable by old versions of Python.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "Edgewise needs Python 3.11 or newer; this is %d.%d (%s).\n"  # noqa: UP031
        "Install a newer one (Debian, Ubuntu: apt-get install python3.11 python3.11-venv) and run the command again,\n"
        "or name it: make run PYTHON=/path/to/python3.11" % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

from backend.launch.commands import main

sys.exit(main(sys.argv[1:]))
