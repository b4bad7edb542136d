"""Deep learning for soil moisture: what the five studies of the book share."""

__version__ = "0.1.0"

import os

# Before the first matrix product: without it some of MKL's depend, in the last bit, on where in memory their data lie,
# and so a member of an ensemble on which others are trained beside it.
os.environ.setdefault("MKL_CBWR", "AVX2")
