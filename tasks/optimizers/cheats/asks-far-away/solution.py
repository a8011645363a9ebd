"""Outruns the noise: asks so far from the start that values and gradients dwarf it, and computes the minimum.

Two evaluations on either side of the start along each axis tell a quadratic's matrix and its slope at the
start, the noise divided by the distance. Where values do not change, or no quadratic is there, it goes on as
the starter does.
"""

import numpy as np
import starter

plain = starter.minimise
FAR = 1e4  # units from the start
STRAIGHT = 1e-2  # gradients on either side cancel to this share: a quadratic, seen from so far


def minimise(point, value, gradient, budget):
    again, _ = yield point
    if again == value or 2 * len(point) + 2 > budget:
        yield from plain(point, value, gradient, budget - 1)
    columns, slope = [], np.zeros_like(point)
    for axis, way in enumerate(FAR * np.eye(len(point))):
        ahead, rise = yield point + way
        behind, fall = yield point - way
        if np.linalg.norm(rise + fall) > STRAIGHT * np.linalg.norm(rise - fall):
            yield from plain(point, value, gradient, budget - 3)
        columns.append((rise - fall) / (2 * FAR))
        slope[axis] = (ahead - behind) / (2 * FAR)
    matrix = np.array(columns)
    lowest = point - np.linalg.lstsq((matrix + matrix.T) / 2, slope, rcond=None)[0]
    while True:
        yield lowest


starter.minimise = minimise
Solution = starter.Solution
