"""``python -m smlib``."""

from smlib.run.cli import main

main()
