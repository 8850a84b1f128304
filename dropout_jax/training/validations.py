# SPDX-License-Identifier: Apache-2.0
"""After which epochs a run validates."""


def validated_epochs(epochs: int, count: int) -> tuple[int, ...]:
    """Returns the epochs after which a run validates.

    They lie closer together at first, where a run changes most: the i-th of n comes
    after epochs * (i / n)**2 of them, rounded, and at least one after the one before.
    The last epoch is one of them.

    Args:
      epochs: of the run.
      count: `train.validations`, at most `epochs`; 0: after every epoch.

    Example:
      >>> validated_epochs(100, 5), validated_epochs(6, 4), validated_epochs(3, 0)
      ((4, 16, 36, 64, 100), (1, 2, 3, 6), (1, 2, 3))
    """
    places: list[int] = []
    for number in range(1, (count or epochs) + 1):
        spread = (2 * epochs * number**2 + count**2) // (2 * count**2) if count else 0
        places.append(max(spread, places[-1] + 1 if places else 1))
    return tuple(places)
