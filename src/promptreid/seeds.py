"""Seeds that follow from other numbers, so that no random choice hangs on an earlier one."""

from __future__ import annotations

import numpy as np

from promptreid.errors import ConfigError


def derive_seed(*parts: int) -> int:
    """Mix numbers into one seed; different tuples give unrelated seeds.

    The number of parts and the width of each are mixed in as well. NumPy's `SeedSequence` alone
    pads with zeros, so that it would not tell (1, 2) from (1, 2, 0).

    Args:
        parts: Integers in 0...2^64 - 1, such as a run's seed, the epoch, the batch.

    Returns:
        An integer in 0...2^63 - 1, good for NumPy and torch generators.

    Raises:
        ConfigError: A part is negative or too large.
    """
    words = [len(parts)]
    for part in parts:
        if not 0 <= part < 1 << 64:
            raise ConfigError(f"A seed is {part}; it must lie between 0 and 2^64 - 1.")
        words += [part & 0xFFFFFFFF, part >> 32]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) >> 1
