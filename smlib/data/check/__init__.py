"""What a folder of one's own data holds, what is wrong with it, and what a study still needs: ``smlib data check``."""

from smlib.data.check.files import Fault
from smlib.data.check.report import report
from smlib.data.check.studies import STUDIES

__all__ = ["STUDIES", "Fault", "report"]
