"""Who trains: threads of this process, or processes beside it."""

import os
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from joblib.externals.loky import get_reusable_executor

from smlib import determinism
from smlib.train.loop import pick_device

# Member-steps from which processes pay: they take seconds to start, but threads of one Python get in each other's way.
WORTH = 50_000
# A worker that has grown by 300 MB, as by the data that it keeps, is replaced between two jobs; none is lost.
warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given", category=UserWarning)


def worker_count(device):
    """Pieces of training that may go on at once: one a core, on a GPU one."""
    return 1 if pick_device(device).type == "cuda" else len(os.sched_getaffinity(0))


@contextmanager
def worker_pool(count, member_steps):
    """An executor of `count` workers for about so much work; what they compute does not depend on which they are.

    Processes stay at hand for a minute, for the next call, and go with this process.
    """
    if count > 1 and member_steps >= WORTH:
        yield get_reusable_executor(count, timeout=60, initializer=determinism.fix)
    else:
        with ThreadPoolExecutor(count, initializer=determinism.prepare_thread) as pool:
            yield pool


@contextmanager
def side_by_side(device="auto", worth_it=True):
    """``submit(function, *arguments) -> future`` on worker processes, or at once in this one if that is not worth it.

    On a GPU, which one process has to itself, everything is done in this one.
    """
    count = worker_count(device)
    if count > 1 and worth_it:
        yield get_reusable_executor(count, timeout=60, initializer=determinism.fix).submit
    else:
        yield _done


def _done(function, *arguments):
    future = Future()
    future.set_result(function(*arguments))
    return future
