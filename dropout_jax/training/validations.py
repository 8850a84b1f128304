# SPDX-License-Identifier: Apache-2.0
"""After which epochs a run validates."""


def validated_epochs(epochs: int, count: int) -> tuple[int, ...]:
    """Returns the epochs after which a run validates: evenly spread, the last included.

    Args:
      epochs: of the run.
      count: `train.validations`, at most `epochs`; 0: after every epoch.

    Example:
      >>> validated_epochs(3, 0), validated_epochs(7, 3), validated_epochs(9, 1)
      ((1, 2, 3), (3, 5, 7), (9,))
    """
    count = count or epochs
    return tuple(-(-number * epochs // count) for number in range(1, count + 1))
