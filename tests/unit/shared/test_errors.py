import pytest

from shared import errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NoModelYet, 503),
        (errors.VersionNotFound, 404),
        (errors.VersionNotServable, 409),
        (errors.JobNotFound, 404),
        (errors.JobEnded, 409),
        (errors.KeyMissing, 401),
        (errors.KeyWrong, 403),
    ],
)
def test_an_error_has_the_status_that_the_contract_gives_it(
    error: type[errors.LifeboatError], status: int
) -> None:
    assert error("why").status_code == status
    assert issubclass(error, errors.LifeboatError)


@pytest.mark.parametrize("error", [errors.BadTrainingData, errors.ParityBroken])
def test_what_ends_a_run_is_a_failed_training(error: type[errors.LifeboatError]) -> None:
    assert issubclass(error, errors.TrainingFailed)


@pytest.mark.parametrize("reason", [errors.RunCancelled, errors.RunLost])
def test_a_stopped_run_is_no_error_to_show_a_user(reason: type[Exception]) -> None:
    assert issubclass(reason, errors.RunStopped)
    assert not issubclass(reason, errors.LifeboatError)
