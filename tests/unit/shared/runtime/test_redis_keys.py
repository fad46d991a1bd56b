from shared.runtime import redis_keys


def test_the_version_key_has_the_name_that_people_set_by_hand() -> None:
    assert redis_keys.VERSION == "lifeboat:version"


def test_no_two_keys_can_be_the_same() -> None:
    job_id = "0" * 32
    keys = [
        redis_keys.VERSION,
        redis_keys.ACTIVE_JOB,
        redis_keys.JOBS,
        redis_keys.JOB_DURATIONS,
        redis_keys.DEFINITION,
        redis_keys.QUEUE,
        redis_keys.job(job_id),
        redis_keys.events(job_id),
        redis_keys.job("1" * 32),
        redis_keys.process("host:1"),
        redis_keys.waiting("host#1"),
    ]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("lifeboat:") for key in keys)
