"""Guesses of the next sample from those before it, and their updates (core: prediction_guess.h, prediction_learn.h).

    pictures     least squares over nearby columns; least squares over all samples before (Wu, Barthel & Zhang 1998); five simple
                 predictors of PNG, JPEG-LS and WebP, applied to the difference from the channel before
    recordings   least squares that forgets soon, and late; four filters, each correcting the sum so far, which begins with the
                 latter; a polynomial through the last 3 samples
    blend        Σ t · guess / Σ t, t = min(e_blend / e, 64)⁴; e: 0.01 + a guess's weighted sum of errors at the neighbours

Guesses are float32 relative to the integer `reference`, since float32 cannot hold a 32-bit sample."""

import numpy as np

from ...media.grid import Grid
from . import least_squares as squares
from .arithmetic import LANES, F, clamp, energy_of, total
from .filters import TAPS, Filter
from .geometry import Geometry

#: index of the blend among the guesses
BLEND = 7
ENERGIES = 96
MAX_TILES = 3072  # of all channels together
BATCH_PICTURE, BATCH_SOUND = 8, 16
KEEP_PICTURE, KEEP_SOUND = F(0.9984), F(0.997)
KEEP_ROW, KEEP_RECENT = F(0.83), F(0.92)
RIDGE_PICTURE, RIDGE_SOUND = 4, 30
#: batches from one solution over all samples to the next
GLOBAL_EVERY = 4


def first_scale(energy: int) -> np.float32:
    """Initial mean error for an energy: (2^(energy / 4) − 1) · 0.0104, log2 as in `energy_of`."""
    power = np.array([(energy + (127 << 2)) << 21], np.int32).view(np.float32)[0]
    scale: np.float32 = (power - F(1)) * F(0.0104)
    return scale


class Guesses:
    """The predictors and their state. A recording is one tile. `values` [8] are the guesses of the sample at the cursor; the last one is the blend."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.geometry = grid, Geometry(grid)
        geometry, channels = self.geometry, grid.channels
        self.lowest, self.highest = -(1 << (grid.bits - 1)), (1 << (grid.bits - 1)) - 1
        self.window = [0] * geometry.window
        self.errors = np.zeros((geometry.window, LANES), np.float32)
        self.signed_errors = np.zeros(geometry.window, np.float32)
        self.at = geometry.window - geometry.stride + geometry.pad * channels
        self.column = self.channel = 0
        first = F(4 if grid.bits == 8 else 200)
        self.mean_errors = np.full((channels, LANES), first, np.float32)
        scales = [[first_scale(energy)] * LANES for energy in range(ENERGIES)]
        self.scales = np.array([scales] * channels, np.float32)
        self.seen = np.zeros((channels, ENERGIES), int)
        self.dtype = np.float64 if grid.bits > 8 or not grid.picture else np.float32
        self.near = [geometry.neighbours(c) for c in range(channels)]
        self.rows: list[list[squares.Matrix]] = [[] for _ in range(channels)]
        self.batch = BATCH_PICTURE if grid.picture else BATCH_SOUND
        self.tile_width = BATCH_PICTURE if grid.picture else 2 * geometry.columns
        while -(-geometry.columns // self.tile_width) > MAX_TILES // channels:
            self.tile_width += BATCH_PICTURE
        tiles = -(-geometry.columns // self.tile_width)
        empty = [np.zeros((len(near), squares.padded(len(near), self.dtype)), self.dtype) for near in self.near]
        self.tiles = [[zeros.copy() for _ in range(tiles)] for zeros in empty]
        self.all = [zeros.copy() for zeros in empty]
        self.batches = [0] * channels  # modulo GLOBAL_EVERY
        self.weights = [[zeros[0].copy() for _ in range(2)] for zeros in empty]
        for pair in self.weights:
            for w in pair:
                w[0] = 0.5 if grid.picture else 1.0
        self.filters = [[Filter(*settings) for settings in TAPS] if not grid.picture else [] for _ in range(channels)]
        self.first_guess = F(0)
        self.recent_errors = np.zeros(channels, np.float32)

    # --- guesses -----------------------------------------------------------------------------------------

    def back(self, distance: int) -> int:
        """The sample at this distance before the cursor."""
        return self.window[self.at - distance]

    def guess(self) -> None:
        """`reference`, `values` [8] and `energy` of the sample at the cursor."""
        c, channels, stride, picture = self.channel, self.grid.channels, self.geometry.stride, self.grid.picture
        west = self.back(channels)
        north = self.back(stride) if picture else west
        self.reference = (west + north) >> 1
        low, high = F(self.lowest - self.reference), F(self.highest - self.reference)
        values = np.zeros(LANES, np.float32)
        values[:2] = self._by_squares()
        if picture:
            values[2:6] = [F(guess - self.reference) for guess in self._simple()]
        else:
            self.first_guess = sum_so_far = clamp(values[1], low, high)
            for k, predictor in enumerate(self.filters[c]):
                sum_so_far = sum_so_far + predictor.guess()
                values[2 + k] = sum_so_far
            before, older = self.back(2 * channels), self.back(3 * channels)
            values[6] = F(2 * west - 3 * before + older)
        values = clamp(values, low, high)

        errors = self.mean_errors[c].copy()
        for distance, weight in self.geometry.close(c):
            errors = errors + F(weight) * self.errors[self.at - distance]
        trust = clamp((errors[BLEND] + F(0.01)) / (errors + F(0.01)), 0, 64)
        trust = trust * trust
        trust = trust * trust
        trust[BLEND] = 0
        total_trust = total(trust)
        values[BLEND] = clamp(total(trust * values) / total_trust, low, high) if total_trust > F(1e-30) else values[0]
        self.values = values

        energy: np.float32 = errors[BLEND] - self.mean_errors[c][BLEND]
        if picture:
            north_west, north_east = self.back(stride + channels), self.back(stride - channels)
            rough = F(abs(west - north_west)) + F(abs(north - north_west)) + F(abs(north - north_east))
            energy = energy + rough
        self.energy = energy_of(energy, ENERGIES - 1)

    def _by_squares(self) -> list[np.float32]:
        c, near = self.channel, self.near[self.channel]
        row = np.zeros(self.all[c].shape[1], self.dtype)
        origin = self.reference if self.grid.picture else 0
        row[: len(near)] = [self.back(distance) - origin for distance in near]
        self.row = row
        guesses = [F(squares.dot(w, row) - self.dtype(self.reference - origin)) for w in self.weights[c]]
        return [guess if F(-1e10) < guess < F(1e10) else F(0) for guess in guesses]

    def _simple(self) -> list[int]:
        channels, stride = self.grid.channels, self.geometry.stride
        west, north, north_west = self.back(channels), self.back(stride), self.back(stride + channels)
        corner = north + self.back(stride - channels) - self.back(2 * stride - channels)
        other = 0
        if self.channel:
            other = self.back(1)
            west, north = west - self.back(1 + channels), north - self.back(1 + stride)
            north_west -= self.back(1 + stride + channels)
        median = sorted([west, north, west + north - north_west])[1]
        second = other + ((west + north) >> 1) if self.channel else corner
        return [other + median, second, other + west, other + north]

    # --- learning ----------------------------------------------------------------------------------------

    def learn(self, value: int) -> None:
        """Update with the sample at the cursor, and move the cursor to the next one."""
        c, at, picture = self.channel, self.at, self.grid.picture
        difference = F(value - self.reference)
        error = abs(difference - self.values)
        self.window[at], self.errors[at] = value, error
        self.signed_errors[at] = difference - self.values[BLEND]
        self.mean_errors[c] += (error - self.mean_errors[c]) * F(0.03125)
        seen = int(self.seen[c, self.energy])
        self.scales[c, self.energy] += (error - self.scales[c, self.energy]) * (F(1) / F(seen + 4))
        self.seen[c, self.energy] = min(seen + 1, 120)

        row_ends = picture and self.column == self.grid.columns - 1
        self.row[len(self.near[c])] = difference if picture else value
        if not picture:  # weigh the row by 1 / (recent error + 2): squares become about magnitudes
            self.recent_errors[c] += (error[0] - self.recent_errors[c]) * F(0.5)
            self.row = self.row * (1 / np.sqrt(np.float64(self.recent_errors[c]) + 2))
        self.rows[c].append(self.row)
        if len(self.rows[c]) == self.batch or row_ends:
            self._learn_squares(c, row_ends)
            self.rows[c] = []
        target: np.float32 = difference - self.first_guess
        for predictor in self.filters[c]:
            target = predictor.learn(target)
        self._advance()

    def _learn_squares(self, c: int, row_ends: bool) -> None:
        rows, real, tiles = np.array(self.rows[c]), np.dtype(self.dtype).type, self.tiles[c]
        fresh = squares.batch(rows, len(self.near[c]))
        ridge = RIDGE_PICTURE if self.grid.picture else RIDGE_SOUND
        self.all[c] = self.all[c] * real(KEEP_PICTURE if self.grid.picture else KEEP_SOUND) + fresh
        tile = self.column // self.tile_width
        keep = real(1) if (self.column - len(rows) + 1) % self.tile_width else real(KEEP_ROW)
        tiles[tile] = tiles[tile] * (keep if self.grid.picture else real(KEEP_RECENT)) + fresh
        following = 0 if row_ends else (self.column + 1) // self.tile_width
        sums, *neighbours = tiles[max(following - 1, 0) : following + 2]
        sums = sums.copy()
        for neighbour in neighbours:
            sums = sums + neighbour
        self.weights[c][0] = squares.solve(sums, ridge, self.weights[c][0])
        if self.batches[c] == 0:
            self.weights[c][1] = squares.solve(self.all[c].copy(), ridge, self.weights[c][1])
        self.batches[c] = (self.batches[c] + 1) % GLOBAL_EVERY

    def _advance(self) -> None:
        self.at += 1
        self.channel += 1
        if self.channel == self.grid.channels:
            self.channel = 0
            self.column += 1
            if self.column == self.geometry.columns:
                self._next_row()

    def _next_row(self) -> None:
        """Pad the row, drop the oldest row, and begin the next row with padding from the row above."""
        stride, channels = self.geometry.stride, self.grid.channels
        pad, start = self.geometry.pad * channels, self.geometry.window - stride
        end = start + pad + self.geometry.columns * channels
        for i in range(pad):
            self._copy(end + i, end - channels + i % channels)
        for errors in (self.errors, self.signed_errors):
            errors[:start] = errors[stride:].copy()
        self.window[:start] = self.window[stride:]
        for i in range(pad):
            self._copy(start + i, start - stride + pad + i % channels)
        self.column, self.at = 0, start + pad

    def _copy(self, to: int, source: int) -> None:
        self.window[to] = self.window[source]
        self.errors[to], self.signed_errors[to] = self.errors[source], self.signed_errors[source]
