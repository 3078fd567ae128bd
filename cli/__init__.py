"""The tokpress command."""

import gc
import os


def main() -> None:
    gc.set_threshold(300_000)  # imports make many objects and hardly any garbage
    # products of a few lanes are too small for BLAS threads, which on a busy machine spend their time waiting
    # for each other; tokpress shares out lanes instead (tokpress.exact.threads)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.environ.get("HOME") == "":  # is no home, and would be taken for /
        del os.environ["HOME"]
    if not os.path.isabs(os.path.expanduser("~")):  # no home: libraries would make a folder called "~" in this one
        os.environ["HOME"] = os.devnull
    from .signals import default_until_installed, occupy_standard_streams

    default_until_installed()
    occupy_standard_streams()
    from .main import run

    run()
