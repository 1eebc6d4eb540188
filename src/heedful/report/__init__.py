"""What an evaluation found, for people: one self-contained HTML page, and a summary for the terminal.

Knows only `ReportData`; how its numbers were measured is the business of `heedful.evaluation`.
"""

from heedful.report.data import AccuracyRow, Curve, Mistake, ReportData, RewardFindings, SideBySide
from heedful.report.html import render, write
from heedful.report.reward import reward_report
from heedful.report.terminal import summary

__all__ = [
    "AccuracyRow",
    "Curve",
    "Mistake",
    "ReportData",
    "RewardFindings",
    "SideBySide",
    "render",
    "reward_report",
    "summary",
    "write",
]
