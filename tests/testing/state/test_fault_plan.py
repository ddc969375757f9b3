"""Which call meets which fault."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from runoutcome.testing import FaultRule, OutcomeScript, fault_on, parse_fault
from runoutcome.testing._scenario.script import Route
from runoutcome.testing._state.fault_plan import FaultPlan

ROUTES = st.sampled_from(["create", "poll", "cancel", "stream"])
RULES = st.lists(
    st.builds(
        FaultRule,
        route=ROUTES,
        fault=st.sampled_from([parse_fault(word) for word in ("503", "html", "ok", "stall")]),
        first=st.integers(1, 4),
        last=st.none() | st.integers(1, 9),
        share=st.floats(0, 1),
        after_seconds=st.floats(0, 5),
        until_seconds=st.none() | st.floats(0, 9),
        times=st.none() | st.integers(1, 3),
        outcome=st.sampled_from([None, "a", "b"]),
    ),
    max_size=5,
)
CALLS = st.lists(st.tuples(ROUTES, st.floats(0, 10), st.sampled_from(["a", "b"])), max_size=40)


def faults(plan: FaultPlan, calls: int, route: Route = "poll", now: float = 0.0) -> list[str | None]:
    """The words of the faults that so many calls meet."""
    met = [plan.next(route, now) for _ in range(calls)]
    return [fault and fault.word for fault in met]


@given(rules=RULES, calls=CALLS, seed=st.integers())
def test_one_seed_gives_one_plan(rules: list[FaultRule], calls: list[tuple[Route, float, str]], seed: int) -> None:
    """Two plans of the same rules and seed agree on every call."""
    one, other = FaultPlan(rules, seed=seed), FaultPlan(rules, seed=seed)
    for route, now, outcome in calls:
        assert one.next(route, now, outcome=outcome) == other.next(route, now, outcome=outcome)


@given(rules=RULES, calls=CALLS, seed=st.integers())
def test_a_rule_keeps_to_its_conditions(
    rules: list[FaultRule], calls: list[tuple[Route, float, str]], seed: int
) -> None:
    """No fault comes outside the route, the window and the outcome of a rule that has it."""
    plan = FaultPlan(rules, seed=seed)
    for route, now, outcome in calls:
        fault = plan.next(route, now, outcome=outcome)
        assert fault is None or any(
            rule.fault == fault
            and rule.route == route
            and rule.outcome in (None, outcome)
            and rule.share > 0
            and rule.after_seconds <= now
            and (rule.until_seconds is None or now < rule.until_seconds)
            for rule in rules
        )


@settings(max_examples=20)
@given(share=st.floats(0, 1), seed=st.integers())
def test_a_share_is_met_in_the_long_run(share: float, seed: int) -> None:
    """Of 2000 calls, a rule hits its share, within six standard deviations."""
    plan = FaultPlan([fault_on("poll", "503", share=share)], seed=seed)
    hits = 2000 - faults(plan, 2000).count(None)
    assert abs(hits - 2000 * share) <= 6 * (2000 * share * (1 - share)) ** 0.5


def test_another_seed_and_another_rule_draw_anew() -> None:
    """The draws depend on the seed and on the place of the rule."""
    rule = fault_on("poll", "503", share=0.5)
    first = faults(FaultPlan([rule], seed=1), 64)
    assert first != faults(FaultPlan([rule], seed=2), 64)
    assert first != faults(FaultPlan([fault_on("create", "503"), rule], seed=1), 64)


def test_a_rule_covers_the_nth_to_the_mth_call() -> None:
    """Calls are counted from 1 and per route; both ends are included."""
    plan = FaultPlan([fault_on("poll", "503", first=2, last=3)])
    assert faults(plan, 5, "cancel") == [None] * 5
    assert faults(plan, 5) == [None, "503", "503", None, None]


def test_a_limit_counts_the_calls_that_were_hit() -> None:
    """`times` ends a rule after so many hits, whatever is left of its range."""
    plan = FaultPlan([fault_on("poll", "503", first=2, times=2)])
    assert faults(plan, 5) == [None, "503", "503", None, None]


def test_a_window_opens_and_closes() -> None:
    """`after_seconds` is included, `until_seconds` is not; both count from the start, and `speed` divides them."""
    plan = FaultPlan([fault_on("poll", "503", after_seconds=60, until_seconds=120)], speed=10, started_at=1000)
    assert [faults(plan, 1, now=now) for now in (1005.9, 1006, 1011.9, 1012)] == [[None], ["503"], ["503"], [None]]


def test_a_rule_for_an_outcome_counts_its_calls_alone() -> None:
    """With `outcome`, only the calls about its runs are counted and hit."""
    plan = FaultPlan([fault_on("poll", "503", first=2, last=2, outcome="a")])
    met = [plan.next("poll", 0, outcome=outcome) for outcome in ("a", "b", "b", "a", "a")]
    assert [fault is not None for fault in met] == [False, False, False, True, False]


def test_the_first_rule_to_hold_decides() -> None:
    """A later rule has its turn where an earlier one does not hold; `ok` shields a call from later rules."""
    plan = FaultPlan(
        [fault_on("poll", "html", last=1), fault_on("poll", "ok", first=3, last=3), fault_on("poll", "503")]
    )
    assert faults(plan, 4) == ["html", "503", None, "503"]


def test_a_rule_comes_before_the_faults_of_a_run() -> None:
    """A run's own faults are one per call about it, and a rule that holds uses one up."""
    own = tuple(parse_fault(word) for word in ("cut", "empty", "html"))
    plan = FaultPlan([fault_on("poll", "503", first=2, last=2)])
    met = [plan.next("poll", 0, subject=subject, own=own) for subject in ("x", "x", "x", "y", "x")]
    assert [fault and fault.word for fault in met] == ["cut", "503", "html", "cut", None]


def test_calls_before_a_restart_count_for_a_runs_own_faults() -> None:
    """`skip` uses up the faults that were met before."""
    plan = FaultPlan()
    plan.skip("poll", "x", 1)
    own = (parse_fault("cut"), parse_fault("html"))
    assert plan.next("poll", 0, subject="x", own=own) == own[1]


def test_a_rule_can_be_added_later() -> None:
    """A rule that is added counts the calls from then on."""
    plan = FaultPlan()
    assert faults(plan, 3) == [None] * 3
    plan.add(fault_on("poll", "503", times=1))
    assert faults(plan, 2) == ["503", None]


def test_the_durations_of_a_fault_follow_the_speed() -> None:
    """At speed 10 a stall of 5 s is half a second."""
    plan = FaultPlan([fault_on("poll", {"stall_seconds": 5, "drip_seconds": 2})], speed=10)
    fault = plan.next("poll", 0)
    assert fault is not None
    assert (fault.stall_seconds, fault.drip_seconds) == (0.5, 0.2)


def test_later_poll_faults_are_led_by_good_answers() -> None:
    """`poll_faults_from` puts good answers before the faults, and none where there are no faults."""
    late = OutcomeScript("late", poll_faults=(parse_fault("503"),), poll_faults_from=3)
    assert [fault.word for fault in late.faults_on("poll")] == ["ok", "ok", "503"]
    assert OutcomeScript("good", poll_faults_from=3).faults_on("poll") == ()
    assert late.faults_on("models") == ()
