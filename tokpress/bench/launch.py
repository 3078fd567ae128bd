"""Run a command and write its seconds and peak memory to RESULT as JSON: python -I -S launch.py RESULT COMMAND…

This is a process of its own and a small one: the peak memory that `wait4` reports for a child starts at the memory of its parent.
"""

import json
import os
import subprocess
import sys
import time


def main() -> None:
    result, *command = sys.argv[1:]
    begin = time.perf_counter()
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(os.posix_spawnp(command[0], command, os.environ), 0)
        code = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    else:  # Windows has no peak memory
        code, peak = subprocess.run(command).returncode, None
    facts = {"seconds": time.perf_counter() - begin, "peak_bytes": peak, "code": code}
    with open(result, "w") as file:
        json.dump(facts, file)


if __name__ == "__main__":
    main()
