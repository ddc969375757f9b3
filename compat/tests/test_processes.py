"""The standard library's process pools, which the SDK's own errors break or hang."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import Pool

import pytest
from facts import common_facts_of, facts_of

from errors import EVERY, error, leaked, raise_error

PACKAGE = "Python standard library"
SECONDS = 30


@pytest.fixture(scope="module")
def executor() -> Iterator[ProcessPoolExecutor]:
    """One worker process for all tests: an error that broke it would fail the next one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """The same with `multiprocessing.Pool`."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


@pytest.mark.parametrize("name", EVERY)
def test_an_executor_brings_the_error_back(executor: ProcessPoolExecutor, name: str) -> None:
    """`ProcessPoolExecutor`: the future raises the error with its class and fields, and the pool goes on."""
    future = executor.submit(raise_error, name)
    received = future.exception(timeout=SECONDS)
    assert received is not None
    assert common_facts_of(received) == common_facts_of(error(name))
    assert executor.submit(abs, -1).result(timeout=SECONDS) == 1


@pytest.mark.parametrize("name", EVERY)
def test_a_pool_brings_the_error_back(pool: Pool, name: str) -> None:
    """`multiprocessing.Pool`: `get` raises the error with its class and fields, and the pool goes on."""
    sent = error(name)
    with pytest.raises(type(sent)) as caught:
        pool.apply_async(raise_error, (name,)).get(timeout=SECONDS)
    assert common_facts_of(caught.value) == common_facts_of(sent)
    assert pool.apply_async(abs, (-1,)).get(timeout=SECONDS) == 1


@pytest.mark.parametrize("name", EVERY)
def test_pickles_and_copies_are_equal(name: str) -> None:
    """`pickle`, `copy.copy` and `copy.deepcopy` keep class, text and fields; a pickle holds no secret."""
    sent = error(name)
    data = pickle.dumps(sent)
    for received in (pickle.loads(data), copy.copy(sent), copy.deepcopy(sent)):
        assert facts_of(received) == facts_of(sent)
    assert leaked(data) == []
