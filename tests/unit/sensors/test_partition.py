"""Partitioning of sensors over nodes (reactor.md section 2.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.exceptions import ConfigError
from st2reactor.sensor.partition import by_hash, by_list, parse_provider, sensor_hash, split_list


def test_provider__is_read():
    assert parse_provider("name:hash, hash_ranges:0..MAX") == {"name": "hash", "hash_ranges": "0..MAX"}
    with pytest.raises(ConfigError):
        parse_provider("hash")


def test_list__empty__means_all():
    assert by_list([])("a.B")
    assert by_list(split_list(" a.B , c.D,"))("c.D")
    assert not by_list(["a.B"])("c.D")


@given(st.text(min_size=1))
def test_hash__split_at_any_place__each_sensor_has_one_node(ref):
    assert 0 <= sensor_hash(ref) < 2**32
    assert by_hash("min..1000000000|1000000000..2000000000")(ref) != by_hash("2000000000..Max")(ref)


@pytest.mark.parametrize("ranges", ["5..1", "x..max", "7"])
def test_hash_range__malformed__is_an_error(ranges):
    with pytest.raises(ConfigError):
        by_hash(ranges)


def test_hash_range__bounds__low_in_high_out():
    value = sensor_hash("a.B")
    assert by_hash(f"{value}..{value + 1}")("a.B")
    assert not by_hash(f"0..{value}")("a.B")
    assert by_hash("-5..99999999999")("a.B")
