"""The clinical reading of a trace: what an obstetrician would note down, with the time of each finding.

The measurements of `models.ctg.analysis` feed the models and follow the trace. The reading feeds the guidelines. It
holds the baseline through a fall, keeps very low rates, and says where contractions are not known.
"""

from models.ctg.reading.reader import Reading, read

__all__ = ["Reading", "read"]
