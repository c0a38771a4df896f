"""The one training loop: run folders, exact resume, progress, reports.

Begin with ``examples.py``, the smallest whole task, then ``task.py`` and ``loop.py``.
"""

from minigrad.train.descent import SCHEDULES, Descent, ema, parts, schedule_of
from minigrad.train.initial import Initial
from minigrad.train.loop import fit
from minigrad.train.place import Outcome
from minigrad.train.runs import Run
from minigrad.train.settings import Settings, setting
from minigrad.train.task import Rollback, Step, Task, Track

__all__ = [
    "SCHEDULES",
    "Descent",
    "Initial",
    "Outcome",
    "Rollback",
    "Run",
    "Settings",
    "Step",
    "Task",
    "Track",
    "ema",
    "fit",
    "parts",
    "schedule_of",
    "setting",
]
