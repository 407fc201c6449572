"""Dopplers as stated: what a flow implies, what is refused, and which findings have a name."""

import pytest

from models.errors import InputError, RangeError
from models.growth.amniotic_fluid import amniotic_fluid, amniotic_fluid_findings
from models.growth.delphi import MET, delphi
from models.growth.dopplers import INDICES, UNKNOWN, Dopplers, doppler_findings


@pytest.mark.parametrize("flow", ["absent", "reversed"])
def test_lost_flow_implies_a_raised_index(flow: str) -> None:
    lost = Dopplers(umbilical_end_diastolic_flow=flow)  # type: ignore[arg-type]
    assert lost.umbilical_resistance_raised is True
    assert delphi(230, 8.0, 8.0, lost, centiles_lost=0).verdict == MET
    with pytest.raises(InputError, match="correct one of the two"):
        Dopplers(umbilical_artery_pi_above_95th=False, umbilical_end_diastolic_flow=flow)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="correct one of the two"):
        Dopplers.stated({}, {"umbilical_artery_pi": 60.0}, flow)  # type: ignore[arg-type]


def test_present_flow_says_nothing_of_the_index() -> None:
    assert Dopplers(umbilical_end_diastolic_flow="present").umbilical_resistance_raised is None
    both = Dopplers(umbilical_artery_pi_above_95th=True, umbilical_end_diastolic_flow="present")
    assert both.umbilical_resistance_raised is True


@pytest.mark.parametrize("wave", ["absent", "reversed"])
def test_a_lost_a_wave_contradicts_a_normal_ductus(wave: str) -> None:
    with pytest.raises(InputError, match="ductus venosus"):
        Dopplers(ductus_venosus_pi_above_95th=False, ductus_venosus_a_wave=wave)  # type: ignore[arg-type]


def test_reversed_flow_comes_first_and_implied_findings_are_not_repeated() -> None:
    worst = Dopplers(
        umbilical_artery_pi_above_95th=True,
        cerebroplacental_ratio_below_5th=True,
        umbilical_end_diastolic_flow="reversed",
        ductus_venosus_a_wave="absent",
    )
    assert [finding.name for finding in doppler_findings(worst)] == [
        "reversed end-diastolic flow",
        "absent a-wave",
        "low cerebroplacental ratio",
    ]
    assert doppler_findings(UNKNOWN) == []
    assert not UNKNOWN.given


def test_every_index_has_a_finding() -> None:
    for field, above, limit in INDICES.values():
        assert len(doppler_findings(Dopplers(**{field: True}))) == 1
        centile = limit + 1 if above else limit - 1
        index = next(name for name, (f, *_) in INDICES.items() if f == field)
        assert getattr(Dopplers.stated({}, {index: centile}, None), field) is True
        assert getattr(Dopplers.stated({}, {index: limit}, None), field) is False


@pytest.mark.parametrize(
    ("stated", "pocket", "amount"),
    [
        (None, None, None),
        ("reduced", None, "reduced"),
        (None, 19.9, "reduced"),
        (None, 20.0, "normal"),
        (None, 79.9, "normal"),
        (None, 80.0, "increased"),
        ("normal", 50.0, "normal"),
    ],
)
def test_amniotic_fluid(stated: str | None, pocket: float | None, amount: str | None) -> None:
    assert amniotic_fluid(stated, pocket) == amount  # type: ignore[arg-type]
    names = [finding.name for finding in amniotic_fluid_findings(amount)]  # type: ignore[arg-type]
    assert names == {"reduced": ["oligohydramnios"], "increased": ["polyhydramnios"]}.get(str(amount), [])


def test_contradicting_amniotic_fluid_is_refused() -> None:
    with pytest.raises(InputError, match="correct one of the two"):
        amniotic_fluid("normal", 10.0)
    with pytest.raises(RangeError, match="0 to 250"):
        amniotic_fluid(None, 900.0)
