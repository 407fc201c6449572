"""What the columns of a table hold, by their labels in five languages and their units.

A label is compared without case, accents, brackets and punctuation. A unit stands in brackets behind it, or in a row of
its own. Nothing is ever concluded from the values of a column.
"""

import re
import unicodedata
from dataclasses import dataclass

FETAL_1 = {
    "fhr", "fhr1", "fhr 1", "fhr bpm", "fhr1 bpm", "fhr ch1", "fetal heart rate", "fetal heart rate 1", "foetal heart rate",
    "fetal hr", "fetal heartrate", "hr", "hr1", "hr 1", "heart rate", "heartrate", "bpm", "us1", "us 1", "cardio1", "cardio 1",
    "fcf", "fcf1", "fcf 1", "frecuencia cardiaca fetal", "frequencia cardiaca fetal", "frequence cardiaque foetale",
    "frequence cardiaque fetale", "rcf", "rcf1", "rcf 1", "rythme cardiaque foetal", "bcf", "batimentos cardiacos fetais",
    "fetale herzfrequenz", "foetale herzfrequenz", "kindliche herzfrequenz", "herzfrequenz", "fhf", "fhf1", "fhf 1",
}  # fmt: skip
FETAL_2 = {
    "fhr2", "fhr 2", "fhr2 bpm", "fhr ch2", "fetal heart rate 2", "hr2", "hr 2", "us2", "us 2", "cardio2", "cardio 2",
    "fcf2", "fcf 2", "rcf2", "rcf 2", "fhf2", "fhf 2",
}  # fmt: skip
CONTRACTIONS = {
    "uc", "uc mmhg", "ua", "toco", "toco1", "toco mmhg", "tocogram", "tocograma", "toko", "tokogramm", "uterine activity",
    "uterine contraction", "uterine contractions", "contraction", "contractions", "wehen", "wehentatigkeit", "wehenaktivitat",
    "cu", "au", "du", "dinamica uterina", "actividad uterina", "atividade uterina", "contratilidade uterina",
    "contracciones", "contracciones uterinas", "contracoes", "contracoes uterinas", "activite uterine",
    "contractions uterines", "iup", "iupc", "intrauterine pressure",
}  # fmt: skip
MATERNAL = {
    "mhr", "mhr bpm", "maternal heart rate", "maternal hr", "maternal pulse", "mother hr", "mother pulse", "fcm",
    "frequencia cardiaca materna", "frecuencia cardiaca materna", "frequence cardiaque maternelle", "pouls maternel",
    "mutterliche herzfrequenz", "maternale herzfrequenz", "mhf", "puls mutter",
}  # fmt: skip
TIME = {
    "time", "time s", "time sec", "time ms", "time min", "t", "t s", "t ms", "second", "seconds", "sec", "secs", "s", "ms",
    "milliseconds", "minutes", "min", "timestamp", "time stamp", "timestamp ms", "datetime", "date time", "elapsed",
    "elapsed time", "elapsed s", "relative time", "tempo", "tempo s", "tiempo", "tiempo s", "temps", "temps s", "zeit",
    "zeit s", "zeitpunkt", "uhrzeit", "zeitstempel", "hora", "heure", "marca de tiempo", "segundos", "secondes", "sekunden",
    "data hora", "fecha hora", "date heure", "datum zeit", "datum uhrzeit", "recorded at",
}  # fmt: skip
DATE = {"date", "datum", "fecha", "data", "dia", "day"}
INDEX = {"index", "sample", "samples", "sample no", "sample number", "n", "no", "nr", "row", "muestra", "amostra"}
KINDS: dict[str, set[str]] = {
    "fhr1": FETAL_1,
    "fhr2": FETAL_2,
    "toco": CONTRACTIONS,
    "mhr": MATERNAL,
    "time": TIME,
    "date": DATE,
    "index": INDEX,
}
BEATS_A_MINUTE = {
    "", "bpm", "beats/min", "beats / min", "beats per minute", "beat/min", "/min", "1/min", "min-1", "min^-1", "spm",
    "schlage/min", "lpm", "latidos/min", "bat/min", "bat./min", "batimentos/min", "battements/min", "ppm",
}  # fmt: skip
# Seconds in one unit of time.
TIME_UNITS: dict[str, float] = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "seg": 1.0, "segundos": 1.0, "sek": 1.0,
    "sekunden": 1.0, "secondes": 1.0, "ms": 0.001, "msec": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "min": 60.0, "minutes": 60.0, "minute": 60.0, "h": 3600.0,
}  # fmt: skip
CLOCK_UNITS = {"hh:mm:ss", "h:m:s", "h:mm:ss", "hh:mm:ss.f", "hh:mm:ss.s", "hh:mm:ss.sss", "mm:ss", "iso 8601", "iso"}
UNIT_WORDS = BEATS_A_MINUTE | set(TIME_UNITS) | CLOCK_UNITS | {"mmhg", "kpa", "%", "au", "a.u.", "rel", "units", "-"}
_BRACKET = re.compile(r"[(\[{<]\s*([^)\]}>]*)\s*[)\]}>]\s*$")


@dataclass(frozen=True)
class Label:
    """A label taken apart: the plain name, what it stands for (None: unknown) and its unit."""

    name: str
    kind: str | None
    unit: str


def plain(text: str) -> str:
    """Without case, accents and punctuation."""
    spelled = text.replace("œ", "oe").replace("Œ", "oe").replace("ß", "ss")
    letters = "".join(c for c in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^0-9a-z#]+", " ", letters.casefold()).split())


def unit_of(text: str) -> str:
    """A unit without case, accents and outer blanks."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(letters.casefold().split())


def label_of(text: str) -> Label:
    """Take a label apart."""
    name, unit = text.strip(), ""
    if match := _BRACKET.search(name):
        name, unit = name[: match.start()], unit_of(match.group(1))
    word = plain(name)
    kind = next((kind for kind, names in KINDS.items() if word in names), None)
    last = word.rpartition(" ")[2]
    if kind == "time" and not unit and last in TIME_UNITS:
        unit = last
    return Label(text.strip(), kind, unit)
