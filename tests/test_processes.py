"""Forks, pools and threads: every one of them codes as the process that started it, and none waits for ever.

Each test is a process of its own that is ended after a last resort of time: so long takes only what never ends.
"""

import multiprocessing
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.golden import inputs, make
from tests.limits import LAST_RESORT

ROOT = Path(__file__).parent.parent
#: what all scripts begin with: a text of two threads' worth, a short one, a class-factored one and samples
BEGIN = f"""
    import faulthandler, multiprocessing, os, sys, threading
    from pathlib import Path
    faulthandler.dump_traceback_later({LAST_RESORT}, exit=True)
    import tokpress
    from tokpress.exact import threads
    os.sched_getaffinity = lambda process: {{0, 1}}  # also where there is one

    def restore(packed):
        return tokpress.decompress(packed)

    def in_child(work):
        child = os.fork()
        if not child:
            try:
                os._exit(0 if work() else 3)
            finally:
                os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def in_thread(work):
        made = []
        thread = threading.Thread(target=lambda: made.append(work()))
        thread.start()
        thread.join()
        return made and made[0]

    FILES = [Path(name).read_bytes() for name in sys.argv[1:]]
"""
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    """A file that two threads decode in turns."""
    import tokpress

    source = (inputs.SOURCES / "prose.txt").read_bytes() * 4
    path = tmp_path_factory.mktemp("text") / "text.tokp"
    path.write_bytes(tokpress.compress(source[: 1 << 14], model="text", lanes=8))
    return str(path)


def run(code: str, *files: object, **environment: str) -> str:
    script = textwrap.dedent(BEGIN) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c", script, *map(str, files)],
        capture_output=True, text=True, timeout=LAST_RESORT, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "2"} | environment,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


@forks
def test_a_child_of_fork_codes_as_its_parent(text):
    run(
        """
        source = restore(FILES[0])
        tokpress.compress(source, model="text")  # the tokenizer's own threads
        again = lambda: restore(FILES[0]) == source
        in_child(again)
        in_child(lambda: in_thread(again))
        in_child(lambda: restore(tokpress.compress(source, model="text")) == source)
        in_child(lambda: in_child(again) is None)
        assert again()
        """,
        text,
    )


@forks
def test_a_fork_while_another_thread_works(text):
    """At many moments of a first use, imports and all, and of the ones that follow."""
    run(
        """
        stop, wrong = threading.Event(), []

        def work():
            while not stop.is_set():
                if len(restore(FILES[0])) != 1 << 14:
                    wrong.append(1)

        thread = threading.Thread(target=work)
        thread.start()
        for delay in (0, 0.05, 0.2, 0.3, 0.01, 0.02):
            stop.wait(delay)
            in_child(lambda: len(restore(FILES[0])) == 1 << 14)
        stop.set()
        thread.join()
        assert not wrong
        """,
        text,
    )


@forks
def test_a_fork_while_a_thread_computes_a_lazy_attribute():
    """And holds no lock over it."""
    run(
        """
        from tokpress.lazy import lazy

        class Slow:
            @lazy
            def value(self):
                if threading.current_thread() is not threading.main_thread():
                    begun.set()
                    go_on.wait()
                return 7

        slow, begun, go_on = Slow(), threading.Event(), threading.Event()
        thread = threading.Thread(target=lambda: slow.value)
        thread.start()
        begun.wait()
        in_child(lambda: slow.value == Slow().value == 7)
        go_on.set()
        thread.join()
        assert slow.value == 7
        """
    )


@forks
def test_a_task_that_a_fork_has_left_behind_is_an_error():
    run(
        """
        from tokpress.errors import TokpressError

        go_on = threading.Event()
        result = threads.start_in_background(lambda: go_on.wait() and 7)
        assert threads.threads() == 1

        def left_behind():
            try:
                result()
            except TokpressError as error:
                return threads.threads() == 2 and "forked" in str(error)

        in_child(left_behind)
        go_on.set()
        assert result() == 7
        """
    )


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_pools_of_processes(method, text, tmp_path):
    """As users write them: a file with a main part of its own."""
    script = tmp_path / "pool.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import faulthandler, multiprocessing, os, sys
            import tokpress

            if __name__ == "__main__":
                faulthandler.dump_traceback_later({LAST_RESORT}, exit=True)
                method, name = sys.argv[1:]
                with open(name, "rb") as file:
                    packed = file.read()
                source = tokpress.decompress(packed)
                with multiprocessing.get_context(method).Pool(2) as pool:
                    assert pool.map(tokpress.decompress, [packed] * 3) == [source] * 3
                    assert tokpress.decompress(pool.map(tokpress.compress, [source])[0]) == source
                print("done")
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script), method, text], capture_output=True, text=True, timeout=LAST_RESORT, cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "2", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_eight_threads_that_begin_at_once(text):
    """Different models, one of them in several threads."""
    golden = make.HERE
    run(
        """
        sys.setswitchinterval(1e-5)
        begin, wrong, sources = threading.Barrier(8), [], {}

        def work(i):
            begin.wait()
            try:
                source = restore(FILES[i % len(FILES)])
                if sources.setdefault(i % len(FILES), source) != source or restore(tokpress.compress(source[:400])) != source[:400]:
                    wrong.append(i)
            except BaseException as error:
                wrong.append(error)

        together = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        assert not wrong, wrong
        """,
        text, golden / "text-prose.tokp", golden / "context-mixing-prose.tokp", golden / "linear-prediction-picture.tokp",
    )  # fmt: skip


def test_eight_threads_share_one_model(text):
    run(
        """
        model, wrong = tokpress.load("text"), []
        source = restore(FILES[0])
        packed = [tokpress.compress(source[i:3000 + 900 * i], model=model) for i in range(8)]

        def work(i):
            try:
                if tokpress.decompress(packed[i], model=model) != source[i:3000 + 900 * i] or tokpress.compress(source[i:3000 + 900 * i], model=model) != packed[i]:
                    wrong.append(i)
            except BaseException as error:
                wrong.append(error)

        together = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        assert not wrong, wrong
        """,
        text,
    )


NO_THREADS = """
        def refuse(thread):
            raise RuntimeError("can't start new thread")

        threading.Thread.start = refuse
"""


def test_one_thread_where_no_other_can_be_started(text):
    """As under `ulimit -u`, which root does not feel."""
    run(
        NO_THREADS
        + """
        assert threads.share_rows(lambda some: some, 8) == [slice(0, 8)]
        source = restore(FILES[0])
        assert restore(tokpress.compress(source, model="text")) == source
        assert restore(tokpress.compress(bytes(range(256)) * 1000)) == bytes(range(256)) * 1000
        assert threads.start_in_background(lambda: 7)() == 7
        """,
        text,
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="another user's limit: root's errand")
def test_one_thread_under_a_limit_on_processes(text, tmp_path):
    """The limit counts all processes of a user: this one has no others, no name and no home."""
    place = tmp_path / "place"
    place.mkdir()
    os.chmod(place, 0o777)
    run(
        """
        import resource
        os.chdir(os.environ["PLACE"])
        source = restore(FILES[0])  # imports what the other user may not be allowed to read
        packed = tokpress.compress(source, model="text")
        del os.environ["OMP_NUM_THREADS"]  # until here no second thread was asked for
        os.setgroups([])
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        os.setgid(54321)
        os.setuid(54321)
        try:
            threading.Thread(target=int).start()
        except RuntimeError:
            pass
        else:
            sys.exit("the limit does not bind")
        assert restore(FILES[0]) == source and tokpress.compress(source, model="text") == packed
        assert threads.share_rows(lambda some: some, 8) == [slice(0, 8)]
        """,
        text, PLACE=str(place), OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1",
    )  # fmt: skip
