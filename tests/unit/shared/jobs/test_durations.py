from shared.jobs.durations import OUTCOMES, durations


def test_before_the_first_job_every_outcome_is_there_with_nothing() -> None:
    found = durations({})
    assert tuple(found) == OUTCOMES
    for duration in found.values():
        assert (duration.count, duration.seconds, {*duration.at_most.values()}) == (0, 0, {0})


def test_buckets_hold_what_smaller_ones_hold() -> None:
    found = durations({"promoted:2.5": "3", "promoted:10": "1", "promoted:sum": "11.25"})
    at_most = found["promoted"].at_most
    assert [at_most[bound] for bound in (1, 2.5, 5, 10, 3600)] == [0, 3, 3, 4, 4]
    assert (found["promoted"].count, found["promoted"].seconds) == (4, 11.25)
    assert found["rejected"].count == 0
