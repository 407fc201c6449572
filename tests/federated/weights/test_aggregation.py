"""From replies to the next weights: weights of sites, the screen, robust means, FedAdam."""

import numpy as np
import pytest

from federated.plan import AggregationPlan
from federated.weights.averaging import Arrays, RunningMean, WeightReply, average
from federated.weights.robust import krum, trimmed_mean
from federated.weights.rounds import Rounds, TooFewSitesError
from federated.weights.screening import screen, update_norm
from federated.weights.server_optimiser import ServerAdam
from federated.weights.weighting import SiteCounts, site_weights

CURRENT = {"0.w": np.zeros(4, np.float32), "0.b": np.zeros(1, np.float32)}


def reply(site: str, value: float, weight: float = 1.0, names: tuple[str, ...] = ("0.w", "0.b")) -> WeightReply:
    return WeightReply(site, weight, {name: np.full(CURRENT[name].shape, value, np.float32) for name in names})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("examples", [100, 25]),
        ("square-root", [10, 5]),
        ("equal", [1, 1]),
        ("inverse-variance", [50, 100]),
        ("class-balanced", [0.5 * (0.9 + 0.0), 0.5 * (0.1 + 1.0)]),
    ],
)
def test_weights_of_sites(kind: str, expected: list[float]) -> None:
    counts = {"a": SiteCounts(100, (90, 0, 0), 2.0), "b": SiteCounts(25, (10, 15, 0), 0.25)}
    found = site_weights(kind, counts)  # type: ignore[arg-type]
    assert [found["a"], found["b"]] == pytest.approx(expected)


def test_a_site_without_any_told_class_still_counts_a_little() -> None:
    found = site_weights("class-balanced", {"a": SiteCounts(4, (0, 0)), "b": SiteCounts(50, (40, 10))})
    assert 0 < found["a"] < found["b"]


def test_a_running_mean_is_the_mean_of_the_list() -> None:
    replies = [reply("c", 3.0, 2.0), reply("a", 1.0), reply("b", -1.0)]
    mean = RunningMean()
    for one in sorted(replies, key=lambda r: r.site):
        mean.add(one)
    assert mean.value()["0.w"].tobytes() == average(replies)["0.w"].tobytes()
    np.testing.assert_allclose(mean.value()["0.w"], (1 - 1 + 6) / 4)


def test_parts_are_averaged_over_the_sites_that_hold_them() -> None:
    replies = [reply("a", 1.0, names=("0.w",)), reply("b", 3.0)]
    made = average(replies, whole=False)
    assert made["0.w"][0] == 2
    assert made["0.b"][0] == 3
    with pytest.raises(ValueError, match="site b replied with different"):
        average(replies)


def test_lanes_have_weights_of_their_own() -> None:
    lanes: dict[str, Arrays] = {s: {"0.w": np.full(1, v), "1.w": np.full(1, v)} for s, v in (("a", 0.0), ("b", 4.0))}  # type: ignore[misc]
    made = average([WeightReply("a", 1, lanes["a"], {0: 1, 1: 3}), WeightReply("b", 1, lanes["b"], {0: 1, 1: 1})])
    assert (made["0.w"][0], made["1.w"][0]) == (2, 1)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (reply("bad", float("nan")), "0.w is not finite; lower the learning rate"),
        (WeightReply("bad", 1.0, {"0.w": np.ones(3, np.float32)}), "has shape"),
        (
            WeightReply("bad", 1.0, {"other": np.ones(3, np.float32)}),
            "not part of this model; install the same version",
        ),
        (WeightReply("bad", 1.0, {}), "replied with nothing"),
        (reply("bad", 1.0, weight=0.0), "its weight is 0"),
        (reply("bad", 1.0, weight=float("nan")), "its weight is nan"),
        (reply("bad", 100.0), "its update has norm 224, the median is 2.35"),
    ],
)
def test_the_screen_names_site_reason_and_remedy(bad: WeightReply, words: str) -> None:
    good = [reply("a", 1.0), reply("b", 1.0), reply("c", 1.1)]
    accepted, rejected = screen([*good, bad], CURRENT, norm_limit=5.0)
    assert [r.site for r in accepted] == ["a", "b", "c"]
    assert len(rejected) == 1
    assert rejected[0].words().startswith("site bad: ")
    assert words in rejected[0].words()


def test_two_sites_cannot_outvote_each_other() -> None:
    accepted, rejected = screen([reply("a", 1.0), reply("b", 100.0)], CURRENT, norm_limit=5.0)
    assert len(accepted) == 2
    assert not rejected
    assert update_norm(accepted[0], CURRENT) == pytest.approx(5**0.5)


def test_robust_means_ignore_one_wrong_site() -> None:
    replies = [reply(name, 1.0 + 0.01 * i) for i, name in enumerate("abcde")]
    wrong = [*replies[:4], reply("e", -50.0, weight=1000.0)]
    np.testing.assert_allclose(trimmed_mean(wrong, 0.2)["0.w"], 1.01, atol=0.011)
    np.testing.assert_allclose(krum(wrong, 1)["0.w"], 1.015, atol=1e-5)
    np.testing.assert_allclose(krum(wrong[::-1], 1)["0.w"], 1.015, atol=1e-5)
    assert average(wrong)["0.w"][0] < -40
    with pytest.raises(ValueError, match="needs 5 sites, there are 4"):
        krum(replies[:4], 1)
    with pytest.raises(ValueError, match="change trim"):
        trimmed_mean(replies[:4], 0.2)


def test_adam_moves_like_adam_and_goes_on_from_its_moments() -> None:
    adam = ServerAdam(0.1)
    mean = {name: values + 1 for name, values in CURRENT.items()}
    first = adam.step(CURRENT, mean)
    assert first["0.w"][0] == pytest.approx(0.1 * 0.1 / (0.1 + 1e-3))
    kept = adam.arrays()
    second = adam.step(first, mean)
    again = ServerAdam(0.1)
    again.restore(kept)
    np.testing.assert_allclose(again.step(first, mean)["0.w"], second["0.w"], rtol=1e-6)
    assert set(kept) == {"first:0.w", "first:0.b", "second:0.w", "second:0.b"}


def _rounds(**plan: object) -> Rounds:
    counts = {name: SiteCounts(10, (5, 5)) for name in "abc"}
    return Rounds(AggregationPlan(**plan), counts)  # type: ignore[arg-type]


def test_a_round_leaves_bad_replies_out_and_says_so() -> None:
    after, rejected = _rounds().combine(CURRENT, [[reply("a", 1.0), reply("b", float("nan"))], [reply("c", 3.0)]])
    assert after["0.w"][0] == 2
    assert [r.site for r in rejected] == ["b"]
    with pytest.raises(TooFewSitesError, match=r"only 1 sites .* 2 are needed: site a: .*not finite"):
        _rounds().combine(CURRENT, [[reply("a", float("nan")), reply("b", float("inf")), reply("c", 1.0)]])


def test_rules_of_the_plan_are_followed() -> None:
    replies = [reply("a", 1.0), reply("b", 1.0), reply("c", 4.0)]
    assert _rounds(rule="trimmed-mean", trim=0.4).combine(CURRENT, [replies])[0]["0.w"][0] == 1
    with pytest.raises(TooFewSitesError, match="needs 5 sites, there are 3"):
        _rounds(rule="krum", trim=0.4).combine(CURRENT, [replies])
    moved = _rounds(server="adam", server_learning_rate=0.01).combine(CURRENT, [replies])[0]["0.w"][0]
    assert 0 < moved < 0.02
    partly = _rounds().combine({**CURRENT, "0.kept": np.ones(2, np.float32)}, [replies])[0]
    assert partly["0.kept"][0] == 1


@pytest.mark.parametrize(
    ("kind", "weight"), [("examples", 8.0), ("square-root", 8 * 10**0.5 / 10), ("inverse-variance", 16.0)]
)
def test_a_reply_counts_by_the_rows_of_its_lane(kind: str, weight: float) -> None:
    made = _rounds(weights=kind).reply("a", CURRENT, {0: 10, 1: 8}, (0.3, 0.5))
    assert made.weight_of("1.w") == pytest.approx(weight)
    assert made.weight_of("0.w") == pytest.approx(weight * 10 / 8)
