"""Who is left of a run: lost by name, counted by modality, never silently below the floor."""

from dataclasses import dataclass

import pytest

from federated.transport.roster import Roster, SiteFailureError


@dataclass(frozen=True)
class Member:
    name: str
    modality: str


WARDS = [Member(f"ward-{k}", "acidaemia") for k in range(4)]
CLINICS = [Member(f"clinic-{k}", "ctg") for k in range(2)]


def test_without_a_floor_every_site_is_needed() -> None:
    roster = Roster()
    with pytest.raises(SiteFailureError, match=r"ward-1 \(why\): 3 of 4 acidaemia sites are left, all needed"):
        roster.drop(WARDS, ["ward-1"], "why")


def test_above_the_floor_sites_leave_by_name_and_it_is_told() -> None:
    told: list[tuple[str, str]] = []
    roster = Roster(2, lambda name, why: told.append((name, why)))
    roster.drop(WARDS, ["ward-3", "ward-1"], "no answer")
    assert told == [("ward-1", "no answer"), ("ward-3", "no answer")]
    assert [member.name for member in roster.present(WARDS)] == ["ward-0", "ward-2"]
    with pytest.raises(SiteFailureError, match="ward-0, ward-1, ward-3"):
        roster.drop(WARDS, ["ward-0"], "an error")


def test_the_floor_counts_by_modality_and_is_never_more_than_there_are() -> None:
    roster = Roster(3)
    everybody = [*WARDS, *CLINICS]
    roster.drop(everybody, ["ward-0"], "why")
    with pytest.raises(SiteFailureError, match="1 of 2 ctg sites are left, 3 needed"):
        roster.drop(everybody, ["clinic-0"], "why")


def test_nobody_left_is_the_end_whatever_the_floor() -> None:
    with pytest.raises(SiteFailureError, match="0 of 1"):
        Roster(1).drop([Member("only", "ctg")], ["only"], "why")
