# SPDX-License-Identifier: Apache-2.0
"""The same models as their users would write and train them with other libraries.

Each module offers `peer(name, dataset, noise=True)`, which returns a function that
takes so many optimiser steps and returns their mean loss.
"""
