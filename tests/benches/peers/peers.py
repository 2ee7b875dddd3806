"""Python's pools, for the bench of trine: prints the seconds per operation of one workload."""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import time


def increment(number):
    return number + 1


def length(data):
    return len(data)


def sleep(_):
    time.sleep(0.01)


def timed(run, operations):
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / operations


class Multiprocessing:
    def __init__(self):
        self.pool = multiprocessing.Pool(os.cpu_count())

    def call(self, function, argument):
        return self.pool.apply(function, (argument,))

    def many(self, function, arguments):
        return self.pool.map(function, arguments, chunksize=1)


class Futures:
    def __init__(self, pool):
        self.pool = pool

    def call(self, function, argument):
        return self.pool.submit(function, argument).result()

    def many(self, function, arguments):
        return [f.result() for f in [self.pool.submit(function, a) for a in arguments]]


class Pebble(Futures):
    def __init__(self):
        import pebble

        self.pool = pebble.ProcessPool(max_workers=os.cpu_count())

    def call(self, function, argument):
        return self.pool.schedule(function, args=(argument,)).result()

    def many(self, function, arguments):
        return [f.result() for f in [self.pool.schedule(function, args=(a,)) for a in arguments]]


def loky():
    from loky import get_reusable_executor

    return Futures(get_reusable_executor(max_workers=os.cpu_count()))


POOLS = {
    "multiprocessing.Pool": Multiprocessing,
    "ProcessPoolExecutor": lambda: Futures(concurrent.futures.ProcessPoolExecutor()),
    "loky": loky,
    "pebble": Pebble,
    "Python ThreadPoolExecutor": lambda: Futures(concurrent.futures.ThreadPoolExecutor()),
}


def fill(queue, count):
    for number in range(count):
        queue.put(number)


def queue(count):
    """A process that fills a queue, and what it takes to empty it."""
    items = multiprocessing.Queue(64)
    multiprocessing.Process(target=fill, args=(items, count + 1), daemon=True).start()
    items.get()
    return timed(lambda: [items.get() for _ in range(count)], count)


def measure(name, workload):
    if workload == "queue":
        return queue(20_000)
    if workload == "cold":
        return timed(lambda: POOLS[name]().call(increment, 1), 1)
    pool = POOLS[name]()
    pool.many(increment, range(100))
    if workload == "in_turn":
        return timed(lambda: [pool.call(increment, n) for n in range(500)], 500)
    if workload == "many":
        return timed(lambda: pool.many(increment, range(5000)), 5000)
    if workload == "large":
        data = bytes(8_000_000)
        return timed(lambda: [pool.call(length, data) for _ in range(5)], 5)
    if workload == "sleepers":
        return timed(lambda: pool.many(sleep, range(400)), 1)
    raise SystemExit(f"unknown workload {workload}")


if __name__ == "__main__":
    # The pool's processes hold our output open, and some pools wait for them at exit: they end
    # with us, in one group.
    os.setpgrp()
    print(measure(sys.argv[1], sys.argv[2]), flush=True)
    os.killpg(0, signal.SIGKILL)
