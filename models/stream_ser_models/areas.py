"""Attention over areas: every rectangle of a map, up to a largest size, is one item that positions attend to.

Li, Kaiser, Bengio, Si: "Area Attention", ICML 2019. With mean keys an area's logit is the mean of its cells' logits,
and a weighted sum of areas' values is a weighted sum of cells where values are sums or means. So queries meet keys once
for the cells, logits are pooled, areas' weights are added to the cells that they cover, and one product with the cells
remains: exactly the same result for the two matrix products of attention over single cells. Maxima have no such
identity and are computed area by area.

Maps of weights and logits here have the cells first and the queries last, (B, H, W, Q): sums over neighbouring cells
then add long contiguous stretches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

KEYS = ("max", "mean", "sample")
VALUES = ("max", "mean", "sum")
IN_CACHE = 1 << 17  # logits that are pooled at once on a CPU, so that all areas' weights for them stay in its cache
EXPORTED_PIECES = 4  # at most, because every piece makes the graph longer
ON_DEVICE = 1 << 26  # and at once elsewhere: some 2.5 GB for 9 sizes

Combine = Callable[[Tensor, Tensor], Tensor]
Columns = list[list[Tensor]]  # at [w - 1][h - 1] what belongs to areas h cells tall and w wide, (B, H-h+1, W-w+1, ...)


def count_areas(height: int, width: int, area: tuple[int, ...]) -> int:
    """Areas of a map: 10 773 of at most 3×3 in 64×20 cells."""
    tall = sum(height - h for h in range(min(area[0], height)))
    return tall * sum(width - w for w in range(min(area[1], width)))


def pool_areas(cells: Tensor, area: tuple[int, ...], combine: Combine) -> Columns:
    """Combine the cells (B, H, W, ...) of every area, from the next smaller area and one cell or row more."""
    columns: Columns = []
    row = cells
    for w in range(min(area[1], cells.shape[2])):
        row = combine(row[:, :, :-1], cells[:, :, w:]) if w else cells
        column = [row]
        for h in range(1, min(area[0], cells.shape[1])):
            column.append(combine(column[-1][:, :-1], row[:, h:]))
        columns.append(column)
    return columns


def _added(whole: Tensor, part: Tensor, axis: int, start: int) -> Tensor:
    """Add the part to the whole from a place on: in place, except in an exported graph, which knows no such thing."""
    length = part.shape[axis]
    if not torch.compiler.is_exporting():
        whole.narrow(axis, start, length).add_(part)
        return whole
    after = whole.shape[axis] - start - length
    return whole + nn.functional.pad(part, [0, 0] * (whole.ndim - 1 - axis) + [start, after])


def _spread_along(parts: list[Tensor], axis: int) -> Tensor:
    """Add item k to the k + 1 places that it covers along an axis. The items are used up."""
    for k in range(len(parts) - 1, 0, -1):
        parts[k - 1] = _added(parts[k - 1], parts[k], axis, 0)
    for k in range(1, len(parts)):
        parts[0] = _added(parts[0], parts[k], axis, k)
    return parts[0]


def spread_areas(columns: Columns) -> Tensor:
    """Add what belongs to each area to every cell of it (B, H, W, ...): the adjoint of summing. Uses its input up."""
    return _spread_along([_spread_along(column, 1) for column in columns], 2)


def _means(sums: Columns) -> Columns:
    """Divide what belongs to each area by its number of cells."""
    return [[part / (h * w) for h, part in enumerate(column, 1)] for w, column in enumerate(sums, 1)]


def _means_in_place(sums: Columns) -> Columns:
    """The same without new memory, which costs more than the arithmetic; for tensors that nothing else looks at."""
    for w, column in enumerate(sums, 1):
        for h, part in enumerate(column, 1):
            if h * w > 1:
                part.mul_(1.0 / (h * w))
    return sums


def _exponentials(logits: Tensor, top: Tensor, area: tuple[int, ...]) -> Columns:
    """Exponentials of all areas' logits; no area's mean is above the largest cell, so none overflows."""
    columns = _means_in_place(pool_areas(logits - top, area, torch.add))
    return [[part.exp_() for part in column] for column in columns]


def _weigh(logits: Tensor, area: tuple[int, ...], value: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cell weights (B, H, W, Q), weight received (B, H, W), largest logit and normaliser (B, 1, 1, Q)."""
    top = logits.amax(dim=(1, 2), keepdim=True)
    columns = _exponentials(logits, top, area)
    norm = torch.stack([part.sum(dim=(1, 2)) for column in columns for part in column]).sum(dim=0)
    inverse = 1.0 / norm
    received = [[torch.einsum("bhwq,bq->bhw", part, inverse) for part in column] for column in columns]
    weights = spread_areas(_means_in_place(columns) if value == "mean" else columns)
    norm, inverse = norm[:, None, None], inverse[:, None, None]
    return weights.mul_(inverse), spread_areas(_means_in_place(received)), top, norm


def _chunks(logits: Tensor) -> Iterator[tuple[slice, slice]]:
    """Windows and queries that are worked on at once."""
    batch, height, width, queries = logits.shape
    limit = IN_CACHE if logits.device.type == "cpu" else ON_DEVICE
    some = min(queries, max(1, limit // (height * width)))
    many = max(1, limit // (height * width * some))
    for i in range(0, batch, many):
        for j in range(0, queries, some):
            yield slice(i, i + many), slice(j, j + some)


def single_precision(tensor: Tensor) -> AbstractContextManager[object]:
    """Context without autocast; nothing at all where there is none, as in an export."""
    device = tensor.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


class _CellWeights(torch.autograd.Function):
    """``_weigh`` piece by piece, with a gradient that computes areas' weights again instead of keeping them."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, area: tuple[int, ...], value: str) -> tuple[Tensor, Tensor]:
        weights = torch.empty_like(logits)
        top, norm = logits.new_empty(2, logits.shape[0], 1, 1, logits.shape[3]).unbind()
        received = logits.new_zeros(logits.shape[:3])
        with single_precision(logits):
            for i, j in _chunks(logits):
                weights[i, ..., j], part, top[i, ..., j], norm[i, ..., j] = _weigh(logits[i, ..., j], area, value)
                received[i] += part
        ctx.save_for_backward(logits, weights, top, norm)
        ctx.mark_non_differentiable(received)
        ctx.area, ctx.value = area, value
        return weights, received

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        logits, weights, top, norm = ctx.saved_tensors
        result = torch.empty_like(logits)
        for i, j in _chunks(logits):
            gradient = gradients[0][i, ..., j].clone(memory_format=torch.contiguous_format)
            # The softmax's gradient: each area's weight times what its own gradient has above the weighted mean of all.
            mean = (gradient * weights[i, ..., j]).sum(dim=(1, 2), keepdim=True)
            own = pool_areas(gradient, ctx.area, torch.add)
            own = _means_in_place(own) if ctx.value == "mean" else own
            shares = _exponentials(logits[i, ..., j], top[i, ..., j], ctx.area)
            for share, part in zip(chain(*shares), chain(*own), strict=True):
                share.mul_(part.sub_(mean))
            torch.div(spread_areas(_means_in_place(shares)), norm[i, ..., j], out=result[i, ..., j])
        return result, None, None


def cell_weights(logits: Tensor, area: tuple[int, ...], value: str) -> tuple[Tensor, Tensor]:
    """What areas' attention gives to each cell, for mean keys and values that are sums or means.

    Logits (B, H, W, Q) of cells and queries become weights (B, H, W, Q), with which the cells' values are to be summed,
    and the weight that each cell received from all queries (B, H, W), which has no gradient.
    """
    if torch.compiler.is_exporting():  # pieces of the queries only, because the number of windows is not known
        some = max(IN_CACHE // (logits.shape[1] * logits.shape[2]), -(-logits.shape[3] // EXPORTED_PIECES), 1)
        pieces = [_weigh(piece, area, value) for piece in torch.split(logits, some, dim=3)]
        return torch.cat([piece[0] for piece in pieces], dim=3), torch.stack([piece[1] for piece in pieces]).sum(dim=0)
    weights, received = _CellWeights.apply(logits, area, value)  # type: ignore[no-untyped-call]
    return weights, received


def _flat(columns: Columns) -> Tensor:
    """All areas in one row (B, N, ...)."""
    return torch.cat([part.flatten(1, 2) for column in columns for part in column], dim=1)


def _area_keys(cells: Tensor, area: tuple[int, ...], sampled: bool) -> Tensor:
    """Keys (B, N, C) of all areas of cells (B, H, W, C): maxima, or means with noise of the areas' own deviations."""
    if not sampled:
        return _flat(pool_areas(cells, area, torch.maximum))
    means = _flat(_means(pool_areas(cells, area, torch.add)))
    squares = _flat(_means(pool_areas(cells * cells, area, torch.add)))
    return means + torch.randn_like(means) * (squares - means * means).clamp(min=1e-12).sqrt()


def _by_size(weights: Tensor, height: int, width: int, area: tuple[int, ...]) -> Columns:
    """Weights (B, N, Q) of all areas in one map for each size."""
    tall, wide = range(min(area[0], height)), range(min(area[1], width))
    shapes = [(height - h, width - w) for w in wide for h in tall]
    parts = iter(torch.split(weights, [rows * columns for rows, columns in shapes], dim=1))
    return [[next(parts).reshape(-1, height - h, width - w, weights.shape[2]) for h in tall] for w in wide]


class Areas(nn.Module):
    """Every position of a map attends to all areas of it; queries, keys and values are the map itself.

    ``scaled`` divides logits by the square root of the channels. ``sample`` keys are means in evaluation; in training
    noise of each area's deviation is added. In training a share ``dropout`` of the weights is left out: of those by
    which values are multiplied, so of cells' weights, or of areas' for ``max`` values.
    """

    def __init__(self, area: tuple[int, ...], key: str, value: str, *, scaled: bool, dropout: float) -> None:
        """Nothing is learnt."""
        super().__init__()
        self.area, self.key, self.value, self.scaled = area, key, value, scaled
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Attended map (B, C, H, W) of a map, and the mean weight that each cell received (B, H, W), in all one."""
        channels, height, width = maps.shape[1:]
        queries = maps.flatten(2)  # (B, C, P)
        cells = queries.transpose(1, 2)  # (B, P, C)
        on_grid = cells.reshape(-1, height, width, channels)
        with single_precision(maps):  # rounding to half precision would change weights by their logits' size
            queries = queries.float() * (channels**-0.5 if self.scaled else 1.0)
            if self.key == "max" or (self.key == "sample" and self.training):
                logits = _area_keys(on_grid.float(), self.area, self.key == "sample") @ queries
            else:
                logits = (cells.float() @ queries).reshape(-1, height, width, height * width)
        if logits.ndim == 4 and self.value != "max":
            weights, received = cell_weights(logits, self.area, self.value)
            weights = weights.flatten(1, 2)
        else:
            if logits.ndim == 4:
                logits = _flat(_means(pool_areas(logits, self.area, torch.add)))
            weights = torch.softmax(logits, dim=1)
            columns = _by_size(weights, height, width, self.area)
            received = spread_areas(_means([[part.detach().sum(dim=3) for part in column] for column in columns]))
            if self.value != "max":
                columns = _means(columns) if self.value == "mean" else [[p.clone() for p in c] for c in columns]
                weights = spread_areas(columns).flatten(1, 2)
        values = cells if self.value != "max" else _flat(pool_areas(on_grid, self.area, torch.maximum))
        attended = values.transpose(1, 2) @ self.dropout(weights)
        return attended.reshape(maps.shape), received / (height * width)
