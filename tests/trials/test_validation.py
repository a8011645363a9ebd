"""An answer's bytes are held against what was asked, before any measure sees them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Fault
from harness.instances import Array, ArraySpec
from harness.trials.validation import Twice, agrees, check_array

FLOATS = ArraySpec("float32", (2, 3), low=0.0, high=1.0)
RANKS = ArraySpec("int64", (2, 3), low=0, high=9, unique_rows=True)


def refused(array: Array | bytes, spec: ArraySpec) -> str:
    with pytest.raises(Fault) as caught:
        check_array(array if isinstance(array, bytes) else array.tobytes(), spec, "search")
    assert caught.value.outcome == "malformed"
    assert caught.value.reason.startswith("search returned")
    return caught.value.reason


def test_what_fits_comes_back_as_it_was() -> None:
    good = np.array([[0.0, 0.5, 1.0], [1.0, 1.0, 0.0]], dtype="float32")
    found = check_array(good.tobytes(), FLOATS, "search")
    assert found.dtype == np.float32
    assert (found == good).all()


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("bounds", [{}, {"low": 0.0, "high": 1.0}, {"low": -1e30}, {"high": 1e30}])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_value_that_is_no_number_is_refused(strange: float, bounds: dict[str, float], dtype: str) -> None:
    array = np.full(5, 0.5, dtype)
    array[3] = strange
    assert "1 of 5 values that are NaN or infinite" in refused(array, ArraySpec(dtype, (5,), **bounds))


def test_bounds_are_inclusive_and_anything_beyond_is_refused() -> None:
    array = np.zeros((2, 3), "float32")
    array[1, 2] = np.nextafter(np.float32(1), np.float32(2))
    assert "outside the allowed 0 to 1" in refused(array, FLOATS)
    array[1, 2] = -1e-30
    assert "outside the allowed 0 to 1" in refused(array, FLOATS)
    assert "outside the allowed 3" in refused(np.array([2]), ArraySpec("int64", (1,), low=3))
    assert "outside the allowed 3" in refused(np.array([4]), ArraySpec("int64", (1,), high=3))
    assert check_array(np.array([3]).tobytes(), ArraySpec("int64", (1,), low=3, high=3), "search")[0] == 3


def test_a_value_twice_in_a_row_is_refused_and_twice_in_a_column_is_not() -> None:
    assert "twice in one row" in refused(np.array([[1, 2, 3], [4, 5, 4]]), RANKS)
    assert check_array(np.array([[1, 2, 3], [1, 2, 3]]).tobytes(), RANKS, "search").shape == (2, 3)


def test_a_minus_zero_is_a_zero() -> None:
    spec = ArraySpec("float64", (1, 2), unique_rows=True)
    assert "twice in one row" in refused(np.array([[0.0, -0.0]]), spec)


@pytest.mark.parametrize("length", [0, 1, 23, 25, 48])
def test_another_length_is_refused(length: int) -> None:
    assert f"{length} bytes where 24 were due" in refused(bytes(length), FLOATS)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_an_empty_answer_may_be_what_was_asked(shape: tuple[int, ...]) -> None:
    spec = ArraySpec("float32", shape, low=0, high=1, unique_rows=True)
    assert spec.nbytes == 0
    assert check_array(b"", spec, "search").shape == shape


@settings(max_examples=150, deadline=None)
@given(
    raw=st.binary(min_size=24, max_size=24), dtype=st.sampled_from(["<f4", "<f2", "<f8", "<i4", "<i8", "u1"])
)
def test_bytes_of_any_kind_are_refused_or_within_every_rule(raw: bytes, dtype: str) -> None:
    columns = 24 // np.dtype(dtype).itemsize
    spec = ArraySpec(dtype, (1, columns), low=-5, high=200, unique_rows=True)
    array = np.frombuffer(raw, dtype).reshape(spec.shape)
    within = bool(((array >= -5) & (array <= 200)).all()) and len(set(array[0].tolist())) == columns
    if not within:
        refused(raw, spec)
        return
    found = check_array(raw, spec, "search")
    assert np.isfinite(found).all()
    assert (found == array).all()


@pytest.mark.parametrize(
    ("first", "again", "alike"),
    [
        ([1, 2, 3, 4], [1, 2, 9, 9], True),
        ([1, 2, 3, 4], [1, 9, 9, 9], False),
        ([1.0, 100.0, 0.0, 0.0], [5.0, 100.0, 4.0, 5.0], True),
        ([1.0, 100.0, 0.0, 0.0], [7.0, 80.0, 9.0, 0.0], False),
        ([0.0, 0.0], [0.0, 1e-9], True),
        ([], [], True),
    ],
)
def test_two_answers_to_one_input_agree_by_half(first: list[float], again: list[float], alike: bool) -> None:
    assert agrees(np.array(first), np.array(again)) is alike


def test_answers_that_were_made_up_to_warm_up_are_a_fault_once_most_are_others() -> None:
    real, made_up = np.array([3, 4]), np.array([0, 0])
    twice = Twice()
    twice.keep("blob", b"kept apart")
    for n in range(6):
        twice.keep(f"warm-{n}", made_up if n % 4 else real)
    assert list(twice.answers) == [f"warm-{n}" for n in range(6)]
    assert [twice.compare(f"warm-{n}", real) for n in range(3)] == [None] * 3
    fault = twice.compare("warm-3", real)
    assert fault is not None
    assert fault.outcome == "wrong"
    assert fault.reason.startswith("3 of 4 inputs that only warm up were answered otherwise")
    alone = Twice()
    alone.keep("warm", made_up)
    assert alone.compare("warm", real) is None
    honest = Twice()
    for n in range(4):
        honest.keep(f"warm-{n}", real)
    assert [honest.compare(f"warm-{n}", real if n % 2 else made_up) for n in range(4)] == [None] * 4
