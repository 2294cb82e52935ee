"""Where everything that is left to chance comes from: a seed, or bytes that Hypothesis owns."""

import random


class Chance:
    """Chance out of a seed. `faults` turned off, nothing that needs luck to go wrong does."""

    def __init__(self, seed):
        self._random, self.seed = random.Random(seed).random, seed
        self.faults = True

    def fraction(self):
        """Return a number in [0, 1); the larger it is, the less goes wrong."""
        return self._random()

    def fault(self, probability):
        """Return whether something goes wrong."""
        return self.faults and probability > 0.0 and self.fraction() < probability

    def happens(self, probability):
        """Return whether something that is no fault happens."""
        return self.fraction() < probability

    def between(self, low, high):
        """Return a number of seconds, or of anything."""
        return low + (high - low) * self.fraction()

    def whole(self, low, high):
        """Return a whole number, both ends included."""
        return low + int(self.fraction() * (high - low + 1))

    def pick(self, choices):
        """Return one of them; the last is the tamest."""
        return choices[int(self.fraction() * len(choices))]


class Tape(Chance):
    """Chance out of bytes; where they end everything is as tame as can be."""

    def __init__(self, tape):
        super().__init__(1)
        self._tape = iter(tape)

    def fraction(self):
        return next(self._tape, 255.5) / 256
