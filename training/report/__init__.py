"""The report of a version: one page with pictures that says how good it is, how sure that is, and what it is for."""

from training.report.findings import Findings
from training.report.page import write_report
from training.report.pictures import EXAMPLES

__all__ = ["EXAMPLES", "Findings", "write_report"]
