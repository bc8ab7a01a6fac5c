from __future__ import annotations

import numpy as np
import pytest

from focusviewer.refocus.risk import SPREADS_UM, blend_table, risk_tables


def test_a_plane_where_it_is_wanted_carries_no_risk() -> None:
    tables = risk_tables(0.25)
    assert np.allclose(np.diag(tables.shown), 0, atol=1e-6)
    assert np.allclose(tables.refocused[:, range(33), range(33)], 0)


def test_risk_rises_with_what_is_left_undone_and_with_doubt() -> None:
    tables = risk_tables(0.25)
    assert np.all(np.diff(tables.shown[:10, 0]) > 0)
    assert np.all(np.diff(tables.refocused[:, 8, 0]) > 0)


def test_refocusing_pays_only_where_the_depth_is_known() -> None:
    tables = risk_tables(0.25)
    shown, refocused = tables.shown[4, 0], tables.refocused[:, 4, 0]
    assert refocused[0] < shown < refocused[SPREADS_UM.index(2.0)]


def test_look_ups_lie_between_the_entries() -> None:
    tables = risk_tables(0.25)
    between = tables.at(tables.shown, np.array([1.1]), np.array([0.3]))
    assert tables.shown[4:6, 1:3].min() <= between[0] <= tables.shown[4:6, 1:3].max()
    assert tables.at(tables.shown, np.array([50.0]), np.array([0.0]))[0] == pytest.approx(tables.shown[-1, 0], rel=0.01)


def test_mixing_neighbours_beats_both_when_the_tissue_is_far_and_loses_when_it_lies_between() -> None:
    tables = risk_tables(0.25)
    far = tables.blended(1.0, np.array([0.5]), np.array([2.5]))[0]
    assert far < 0.5 * tables.at(tables.shown, np.array([3.0]), np.array([2.5]))
    between = tables.blended(4.0, np.array([0.5]), np.array([0.0]))[0]
    near = tables.blended(4.0, np.array([0.5]), np.array([2.0]))[0]
    assert between > 0.1 > near or between > 2 * near


def test_the_ends_of_the_way_are_the_planes_themselves() -> None:
    table = blend_table(0.25, 1.5)
    assert np.allclose(table[[0, -1]], 0, atol=1e-5)
