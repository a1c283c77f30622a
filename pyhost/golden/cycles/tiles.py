"""How a product is cut up: blocks and panels that fit the scratchpads, tiles that fit the array, chunks of k."""

# mypy: disable-error-code="no-untyped-call, no-untyped-def"

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyhost.formats.jit import kernel
from pyhost.golden.cycles.sizes import Sizes

__all__ = ["CHUNK", "Shape", "chunks"]

CHUNK = np.dtype(
    [
        *((name, np.int64) for name in ("row", "column", "rows", "columns", "step", "steps", "last")),
        *((name, np.int64, 2) for name in ("panel", "lane", "lanes", "ends")),
    ]
)
"""What the array works on without a change of tile or panels.

row, column, rows, columns: of D, the tile's first, and how many. step, steps: the same of k. last: 1 if the chunk ends
the tile. Of A and B each: the number of the panel among those that are loaded; its first lane, and how many; ends: 1
if no later chunk uses the panel, so that it is free.
"""


class Shape(NamedTuple):
    """A product's dimensions, and how it is cut.

    With 2^L the least power of two that is no less than k, `fit` = depth / 2^L panels of k steps fit a scratchpad.
    whole: fit >= 2, so panels are as long as k; otherwise they are depth / 2 steps long, and one tile wide. a_stays,
    b_stays: all panels of the operand fit together, so each is loaded once. block: row panels of A that stay while the
    panels of B pass: all, or fit - 1, so that the first of the next block can be loaded meanwhile.
    """

    m: int
    n: int
    k: int
    whole: bool
    a_stays: bool
    b_stays: bool
    high: int
    wide: int
    block: int
    chunk: int

    @classmethod
    def of(cls, m: int, n: int, k: int, sizes: Sizes) -> "Shape":
        """How m x n x k is cut."""
        fit = sizes.depth >> (k - 1).bit_length()
        if fit < 2:
            return cls(m, n, k, False, False, False, sizes.rows, sizes.columns, 1, sizes.depth // 2)
        a_stays, b_stays = m <= fit * sizes.high, n <= fit * sizes.wide
        return cls(m, n, k, True, a_stays, b_stays, sizes.high, sizes.wide, fit if a_stays else fit - 1, k)


def chunks(shape: Shape, sizes: Sizes) -> NDArray[np.void]:
    """All chunks of a product, an array of CHUNK.

    From the outermost loop: blocks of row panels; panels of columns; row panels of the block; in a pair of panels
    columns of tiles, and in those tiles downwards. In each tile, chunks of k ascending.
    """
    tiles = -(-shape.m // sizes.rows) * -(-shape.n // sizes.columns)
    result: NDArray[np.void] = np.zeros(tiles * -(-shape.k // shape.chunk), CHUNK)
    _walk(result, shape, sizes)
    return result


@kernel
def _walk(result: Any, shape: Any, sizes: Any) -> None:
    index = 0
    block_lanes = shape.block * shape.high
    for block in range(0, shape.m, block_lanes):
        block_end = min(block + block_lanes, shape.m)
        for b_lane in range(0, shape.n, shape.wide):
            b_end = min(b_lane + shape.wide, shape.n)
            for a_lane in range(block, block_end, shape.high):
                a_end = min(a_lane + shape.high, shape.m)
                for column in range(b_lane, b_end, sizes.columns):
                    for row in range(a_lane, a_end, sizes.rows):
                        for step in range(0, shape.k, shape.chunk):
                            chunk = result[index]
                            chunk.row, chunk.rows = row, min(sizes.rows, shape.m - row)
                            chunk.column, chunk.columns = column, min(sizes.columns, shape.n - column)
                            chunk.step, chunk.steps = step, min(shape.chunk, shape.k - step)
                            chunk.last = step + shape.chunk >= shape.k
                            chunk.lane[0], chunk.lanes[0] = a_lane, a_end - a_lane
                            chunk.lane[1], chunk.lanes[1] = b_lane, b_end - b_lane
                            if shape.whole:
                                pair_ends = row + sizes.rows >= a_end and column + sizes.columns >= b_end
                                chunk.panel[0], chunk.panel[1] = a_lane // shape.high, b_lane // shape.wide
                                if not shape.b_stays:
                                    chunk.panel[1] += block // block_lanes * -(-shape.n // shape.wide)
                                chunk.ends[0] = pair_ends and b_end == shape.n and not shape.a_stays
                                chunk.ends[1] = pair_ends and a_end == block_end and not shape.b_stays
                            else:
                                chunk.panel[:] = index
                                chunk.ends[:] = 1
                            index += 1
