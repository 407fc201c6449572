"""Doppler findings as a person states them, and what follows from them. No reference table is built in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from models.errors import InputError
from models.growth.finding import Finding

Flow = Literal["present", "absent", "reversed"]
LOST = ("absent", "reversed")


@dataclass(frozen=True)
class Dopplers:
    """Doppler findings. None is unknown.

    Attributes
    ----------
    umbilical_artery_pi_above_95th, uterine_artery_pi_above_95th, ductus_venosus_pi_above_95th : bool or None
    cerebroplacental_ratio_below_5th, middle_cerebral_artery_pi_below_5th : bool or None
    umbilical_end_diastolic_flow, ductus_venosus_a_wave : {"present", "absent", "reversed"} or None

    Raises
    ------
    InputError
        A flow contradicts the index of its vessel.
    """

    umbilical_artery_pi_above_95th: bool | None = None
    uterine_artery_pi_above_95th: bool | None = None
    cerebroplacental_ratio_below_5th: bool | None = None
    middle_cerebral_artery_pi_below_5th: bool | None = None
    ductus_venosus_pi_above_95th: bool | None = None
    umbilical_end_diastolic_flow: Flow | None = None
    ductus_venosus_a_wave: Flow | None = None

    def __post_init__(self) -> None:
        """Refuse contradictions: without flow at the end of diastole the pulsatility index is high."""
        if self.umbilical_end_diastolic_flow in LOST and self.umbilical_artery_pi_above_95th is False:
            raise InputError(
                f"{self.umbilical_end_diastolic_flow} end-diastolic flow means a raised pulsatility index of the "
                "umbilical artery, but it was stated not to be above the 95th centile: correct one of the two"
            )
        if self.ductus_venosus_a_wave in LOST and self.ductus_venosus_pi_above_95th is False:
            raise InputError(
                f"{self.ductus_venosus_a_wave} a-wave means a raised pulsatility index of the ductus venosus, but it "
                "was stated not to be above the 95th centile: correct one of the two"
            )

    @property
    def umbilical_resistance_raised(self) -> bool | None:
        """Whether the pulsatility index of the umbilical artery is raised; absent or reversed flow implies it."""
        return True if self.umbilical_end_diastolic_flow in LOST else self.umbilical_artery_pi_above_95th

    @property
    def given(self) -> bool:
        """Whether anything is known."""
        return self != UNKNOWN

    @classmethod
    def stated(
        cls,
        flags: Mapping[str, bool | None],
        centiles: Mapping[str, float | None],
        flow: Flow | None,
        a_wave: Flow | None = None,
    ) -> "Dopplers":
        """Build from flags and centiles by index name (`INDICES`). A centile is used where there is no flag.

        Raises
        ------
        InputError
            A flag contradicts its centile, or a flow the index of its vessel.
        """
        answers: dict[str, bool | None] = {}
        for index, (field, above, limit) in INDICES.items():
            flag, centile = flags.get(index), centiles.get(index)
            from_centile = None if centile is None else (centile > limit if above else centile < limit)
            if flag is not None and from_centile is not None and flag != from_centile:
                raise InputError(f"{index}: centile {centile:g} and the statement beside it contradict each other")
            answers[field] = flag if flag is not None else from_centile
        return cls(**answers, umbilical_end_diastolic_flow=flow, ductus_venosus_a_wave=a_wave)


UNKNOWN = Dopplers()
# Index -> field, whether a centile above (True) or below (False) the limit is abnormal, and the limit.
INDICES: dict[str, tuple[str, bool, float]] = {
    "umbilical_artery_pi": ("umbilical_artery_pi_above_95th", True, 95.0),
    "uterine_artery_pi": ("uterine_artery_pi_above_95th", True, 95.0),
    "cerebroplacental_ratio": ("cerebroplacental_ratio_below_5th", False, 5.0),
    "middle_cerebral_artery_pi": ("middle_cerebral_artery_pi_below_5th", False, 5.0),
    "ductus_venosus_pi": ("ductus_venosus_pi_above_95th", True, 95.0),
}
_WORDS = {
    "umbilical_artery_pi_above_95th": Finding(
        "raised umbilical resistance", "umbilical-artery pulsatility index above the 95th centile"
    ),
    "uterine_artery_pi_above_95th": Finding(
        "raised uterine resistance", "uterine-artery pulsatility index above the 95th centile"
    ),
    "cerebroplacental_ratio_below_5th": Finding(
        "low cerebroplacental ratio", "cerebroplacental ratio below the 5th centile"
    ),
    "middle_cerebral_artery_pi_below_5th": Finding(
        "cerebral redistribution", "middle-cerebral-artery pulsatility index below the 5th centile"
    ),
    "ductus_venosus_pi_above_95th": Finding(
        "raised ductus venosus resistance", "ductus-venosus pulsatility index above the 95th centile"
    ),
}


def doppler_findings(dopplers: Dopplers) -> list[Finding]:
    """The abnormal findings, the gravest first."""
    findings = []
    flow, wave = dopplers.umbilical_end_diastolic_flow, dopplers.ductus_venosus_a_wave
    if wave in LOST:
        findings.append(Finding(f"{wave} a-wave", f"{wave} a-wave in the ductus venosus"))
    if flow in LOST:
        words = f"{flow} end-diastolic flow"
        findings.insert(0 if flow == "reversed" else len(findings), Finding(words, f"{words} in the umbilical artery"))
    implied = {
        "umbilical_artery_pi_above_95th": flow in LOST,
        "ductus_venosus_pi_above_95th": wave in LOST,
    }
    return findings + [
        finding for name, finding in _WORDS.items() if getattr(dopplers, name) and not implied.get(name, False)
    ]
