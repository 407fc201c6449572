"""Secure sums: exact, blind to single terms, alive with a site lost, closed to a server that asks for too much."""

from itertools import combinations

import numpy as np
import pytest

from federated.privacy.secure_aggregation import (
    KEY,
    POINT_BITS,
    PRIME,
    SEED,
    Member,
    SecureSumError,
    from_ring,
    join,
    packed,
    split,
    stream,
    threshold,
    to_ring,
    unmask,
    unpacked,
)

LABEL = "leaves 3"


class Exchange:
    """Five sites up to the masked vectors; the server holds what a server would."""

    def __init__(self, sites: int = 5, length: int = 40) -> None:
        rng = np.random.default_rng(0)
        self.members = {f"site-{k}": Member(f"site-{k}") for k in range(sites)}
        self.values = {name: rng.normal(0, 50, length) for name in self.members}
        self.public = {name: member.public() for name, member in self.members.items()}
        self.shares = {name: member.shares(self.public) for name, member in self.members.items()}
        self.masked = {n: m.masked(self.values[n], self.public, LABEL) for n, m in self.members.items()}

    def received(self, name: str) -> dict[str, bytes]:
        return {by: shares[name] for by, shares in self.shares.items()}

    def total(self, lost: tuple[str, ...] = ()) -> np.ndarray:  # type: ignore[type-arg]
        present = [name for name in self.members if name not in lost]
        told = {name: self.members[name].reveal(self.received(name), self.public, present) for name in present}
        return unmask({name: self.masked[name] for name in present}, self.public, told, LABEL)


def test_the_sum_is_that_of_the_rounded_values_exactly() -> None:
    made = Exchange()
    rounded = [from_ring(to_ring(values, 5)) for values in made.values.values()]
    np.testing.assert_array_equal(made.total(), np.sum(rounded, axis=0))
    np.testing.assert_allclose(made.total(), np.sum(list(made.values.values()), axis=0), atol=5 * 2.0**-POINT_BITS)


@pytest.mark.parametrize("lost", [(f"site-{k}",) for k in range(5)] + list(combinations(("site-0", "site-4"), 2)))
def test_any_site_may_disappear_after_masking(lost: tuple[str, ...]) -> None:
    made = Exchange()
    rest = [values for name, values in made.values.items() if name not in lost]
    np.testing.assert_allclose(made.total(lost), np.sum(rest, axis=0), atol=5 * 2.0**-POINT_BITS)


def test_below_the_threshold_nothing_is_revealed() -> None:
    made = Exchange()
    with pytest.raises(SecureSumError, match="nothing is revealed"):
        made.total(("site-0", "site-1", "site-2"))
    assert [threshold(n) for n in (3, 4, 5, 10)] == [2, 3, 3, 6]


def test_the_server_sees_no_single_term() -> None:
    made = Exchange(length=4000)
    for name, vector in made.masked.items():
        share = np.mean(vector > np.uint64(2**63))  # uniform over the ring, whatever the values are
        assert abs(share - 0.5) < 0.05
        assert abs(np.corrcoef(vector.astype(float), made.values[name])[0, 1]) < 0.06
    # All but one site's masked vectors and every share of one kind do not free that one.
    alone = made.masked["site-2"] - stream(made.members["site-2"].secrets[64:], LABEL, 4000)
    assert not np.allclose(from_ring(alone), made.values["site-2"], atol=1.0)


def test_of_a_site_either_seed_or_key_is_told_never_both() -> None:
    made = Exchange()
    told = made.members["site-0"].reveal(made.received("site-0"), made.public, ["site-0", "site-1", "site-2", "site-3"])
    assert {name: kind for name, (kind, _) in told.items()} == {
        "site-0": SEED,
        "site-1": SEED,
        "site-2": SEED,
        "site-3": SEED,
        "site-4": KEY,
    }
    assert unpacked(packed(told)) == told
    with pytest.raises(SecureSumError, match="nothing is revealed"):
        made.members["site-0"].reveal(made.received("site-0"), made.public, ["site-1", "site-2", "site-3", "site-4"])


def test_a_share_that_was_changed_or_meant_for_another_is_refused() -> None:
    made = Exchange()
    received = made.received("site-0")
    received["site-1"] = received["site-1"][:-1] + bytes([received["site-1"][-1] ^ 1])
    with pytest.raises(SecureSumError, match="share from site-1 was changed"):
        made.members["site-0"].reveal(received, made.public, list(made.members))
    with pytest.raises(SecureSumError, match="changed on its way"):
        made.members["site-0"].reveal({"site-1": made.shares["site-1"]["site-2"]}, made.public, list(made.members))


def test_two_sites_would_know_each_others_term() -> None:
    with pytest.raises(SecureSumError, match="at least three sites"):
        Exchange(sites=2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2.0**40])
def test_what_could_overflow_the_ring_is_refused(value: float) -> None:
    with pytest.raises(SecureSumError, match="ring of the sum"):
        to_ring(np.array([value]), 5)
    assert from_ring(to_ring(np.array([-3.25]), 5))[0] == -3.25


def test_shamir_needs_its_threshold() -> None:
    names = [f"s{k}" for k in range(6)]
    secret = bytes(range(32))
    shares = split(secret, names, 4)
    for chosen in combinations(names, 4):
        assert join({name: shares[name] for name in chosen}, names, 4) == secret
    with pytest.raises(SecureSumError, match="3 sites are left of the sum, 4 are needed"):
        join({name: shares[name] for name in names[:3]}, names, 4)
    with pytest.raises(SecureSumError, match="do not fit together"):
        join({**shares, "s0": (shares["s0"] << 300) % PRIME}, names, 4)


def test_a_member_goes_on_from_its_secrets() -> None:
    member = Member("a")
    assert Member("a", member.secrets).public() == member.public()
    assert Member("a").public() != member.public()
