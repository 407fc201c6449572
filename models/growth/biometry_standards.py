"""INTERGROWTH-21st standards of head, abdomen and femur, 14 to 40 weeks.

Papageorghiou AT et al. International standards for fetal growth based on serial ultrasound measurements: the Fetal
Growth Longitudinal Study of the INTERGROWTH-21st Project. Lancet 2014;384:869-879. Values are in mm and normally
distributed at each age. HC, BPD and OFD are measured outer to outer. The coefficients are second-hand (R package
nutriverse/intergrowth). They were checked against the tables printed by the University of Oxford: all weeks and columns
agree to 0.073 mm.
"""

from math import exp, log

from models.growth.measures import AC, BPD, FL, HC, OFD
from models.growth.standard import Curve, Standard, normal

SOURCE = "Papageorghiou 2014, Lancet 384:869; coefficients second-hand, checked against the printed tables"


def _standard(measure: str, label: str, curve: Curve) -> Standard:
    return Standard(
        key="intergrowth-2014",
        name=f"INTERGROWTH-21st (2014), {label}",
        measure=measure,
        first_week=14,
        last_week=40,
        source=SOURCE,
        second_hand=True,
        curve=curve,
    )


HEAD_CIRCUMFERENCE = _standard(
    HC,
    "head circumference",
    normal(
        lambda g: -28.2849 + 1.69267 * g**2 - 0.397485 * g**2 * log(g),
        lambda g: 1.98735 + 0.0136772 * g**3 - 0.00726264 * g**3 * log(g) + 0.000976253 * g**3 * log(g) ** 2,
    ),
)
BIPARIETAL_DIAMETER = _standard(
    BPD,
    "biparietal diameter",
    normal(
        lambda g: 5.60878 + 0.158369 * g**2 - 0.00256379 * g**3,
        lambda g: exp(0.101242 + 0.00150557 * g**3 - 0.000771535 * g**3 * log(g) + 0.0000999638 * g**3 * log(g) ** 2),
    ),
)
OCCIPITOFRONTAL_DIAMETER = _standard(
    OFD,
    "occipitofrontal diameter",
    normal(
        lambda g: -12.4097 + 0.626342 * g**2 - 0.148075 * g**2 * log(g),
        lambda g: exp(-0.880034 + 0.0631165 * g**2 - 0.0317136 * g**2 * log(g) + 0.00408302 * g**2 * log(g) ** 2),
    ),
)
ABDOMINAL_CIRCUMFERENCE = _standard(
    AC,
    "abdominal circumference",
    normal(
        lambda g: -81.3243 + 11.6772 * g - 0.000561865 * g**3,
        lambda g: -4.36302 + 0.121445 * g**2 - 0.0130256 * g**3 + 0.00282143 * g**3 * log(g),
    ),
)
FEMUR_LENGTH = _standard(
    FL,
    "femur length",
    normal(
        lambda g: -39.9616 + 4.32298 * g - 0.0380156 * g**2,
        lambda g: exp(0.605843 - 42.0014 * g**-2 + 0.00000917972 * g**3),
    ),
)
BIOMETRY = {
    standard.measure: standard
    for standard in (
        HEAD_CIRCUMFERENCE,
        BIPARIETAL_DIAMETER,
        OCCIPITOFRONTAL_DIAMETER,
        ABDOMINAL_CIRCUMFERENCE,
        FEMUR_LENGTH,
    )
}
