"""The errors that a user can meet, each with the HTTP status of the API's answer."""


class LifeboatError(Exception):
    """Base of all errors whose message is written for a user."""

    status_code = 500


class NoModelYet(LifeboatError):
    """Raised when a prediction is asked for before any model version is loaded."""

    status_code = 503


class BadTensors(LifeboatError):
    """Raised when the tensors of an inference request are not what the model expects."""

    status_code = 400


class BodyTooLarge(LifeboatError):
    """Raised when the body of a request has more bytes than the settings allow."""

    status_code = 413


class TooManyRows(LifeboatError):
    """Raised when a request asks for more predictions than the settings allow."""

    status_code = 413


class BodyEncoded(LifeboatError):
    """Raised when a body that cannot be read came with a Content-Encoding."""

    status_code = 415


class Overloaded(LifeboatError):
    """Raised when a process is at capacity."""

    status_code = 503


class ModelNotFound(LifeboatError):
    """Raised when an inference request names a model, or a version of it, that is not served."""

    status_code = 404


class VersionNotFound(LifeboatError):
    """Raised when the models volume has no version of that name."""

    status_code = 404


class VersionNotServable(LifeboatError):
    """Raised when a version is there, but damaged, unsigned, of another schema or being removed."""

    status_code = 409


class StoreUnreachable(VersionNotServable):
    """Raised when the store of versions does not answer, or not in time."""

    status_code = 503


class ServesOnly(LifeboatError):
    """Raised when a process without Redis is asked about jobs, or to change the choice."""

    status_code = 503


class SchemaBreaks(LifeboatError):
    """Raised when a version is chosen that would break requests which are answered now."""

    status_code = 409


class PlotNotFound(LifeboatError):
    """Raised when a model version has no plot of that name."""

    status_code = 404


class JobNotFound(LifeboatError):
    """Raised when there is no record of a job with that id."""

    status_code = 404


class JobEnded(LifeboatError):
    """Raised when a job that has already ended is asked to stop."""

    status_code = 409


class HostUnknown(LifeboatError):
    """Raised when a request names a host that the settings do not allow."""

    status_code = 400


class KeyMissing(LifeboatError):
    """Raised when a call that needs the API key comes without one."""

    status_code = 401


class KeyWrong(LifeboatError):
    """Raised when a call comes with an API key that is not the one configured."""

    status_code = 403


class TrainingFailed(LifeboatError):
    """Raised when a run cannot end in a published version; the message is the job's error."""


class BadTrainingData(TrainingFailed):
    """Raised when the training table cannot be read or cannot be trained on."""


class DefinitionBroken(TrainingFailed):
    """Raised when the folder of a model cannot be read, or its code does not do what it must."""


class EstimatorBroken(TrainingFailed):
    """Raised when the estimator cannot be imported, or does not return what can be published."""


class ParityBroken(TrainingFailed):
    """Raised when the exported model and the scikit-learn pipeline predict differently."""


class RunStopped(Exception):
    """Base of the reasons for a worker to drop a run without a result."""


class RunCancelled(RunStopped):
    """Raised at the next checkpoint after somebody cancelled the job."""


class RunLost(RunStopped):
    """Raised when an attempt no longer holds the run."""
