"""Every capacity of an API process: how much it takes in, holds and does, and how long it waits.

What depends on each other is asserted at the end, at each start.
"""

# --- bodies and work -----------------------------------------------------------------------------

INLINE_BYTES = 64 * 1024
"""A body up to this size, about 600 records, is predicted on the event loop, which serves nobody
else for 0.7 ms. A longer body goes to a thread, which costs 0.1 ms more."""

SHORT_CUT_BYTES = 16 * 1024
"""Longest request that is answered from its connection, about 150 records. Of a longer one, the way
of every request takes a small part of the time, and what is wrong with it would be looked for
twice."""

KNOWN_HEADS = 500
KNOWN_HEAD_BYTES = 4 * 1024
"""Heads of requests that a process remembers, and the longest of them: 2 MB at most."""

CALL_BYTES = 8 * 1024
"""Longest body of a call that does not predict. The only one that is read, a choice of the version,
has 50 bytes. FastAPI parsed 8 MB of it on the event loop: the median of predictions was 396 ms."""

INLINE_VALUES = 6000
"""A request with more values, rows times features, is predicted in a thread, however few bytes they
have: 64 KiB of v2 columns can hold 8,000 rows, which take the event loop 4 ms."""

PIECE_BYTES = 64 * 1024
"""A longer list of records is decoded in pieces of this size, and what else runs in the process
waits for one piece at most."""

RECORD_BYTES = 256 * 1024
"""Longest record in a list that is longer than a piece."""

OUTLINE_BYTES = 64 * 1024
VALUE_BYTES = 256
"""How much JSON an inference request may have. Beside the data of its tensors, the first of these
and for each input the second. For the data of one tensor, the first and for each row that a request
may have the second: 2.6 MB by default, which take the decoder 4 ms if they are blanks."""

REQUEST_BYTES = 4096
"""A request weighs as many bytes of work as its body has, and these: 64 KiB of records take the
event loop 13 times as long as one record does."""

TURN_BYTES = 4 * 1024 * 1024
"""Work that one turn of the event loop takes in: 1,000 small requests, about 60 ms."""

HELD_BODIES = 8
"""Large bodies of the greatest length that are in memory at once, while they come in or wait for
the one thread that predicts them: 64 MiB by default, about 2 s of its work."""

PROGRESS_BYTES = 64 * 1024
STALL_SECONDS = 0.25
"""An upload that did not get on by so many bytes in this time gives way, if there is no room for
another one. 22 uploads that stopped one byte short of their end kept all others out for 17 s."""

DISCARD_BYTES = 64 * 1024 * 1024
DISCARD_SECONDS = 5.0
"""How much of a refused body is read, and for how long, to let its client read the answer: a client
that is still sending when the connection is closed meets a reset instead."""

BATCH_ROWS = 1000
"""A batch with as many rows is predicted at once: 1 ms of work, while nobody else is served."""

COUNTED_ROWS = 1000
"""A call of the model with more rows is counted at once, to keep what waits small."""

COUNTED_CLASSES = 50
COUNTED_LABELS = 200
"""Labels that have a series of their own in the metrics: so many classes of a model, and so many
labels of all models that a process serves one after another. The others are counted together."""

COUNT_SECONDS = 0.5
"""Time between two counts of requests and predictions. A killed process loses the count of that
time."""

MAX_ERRORS = 20
"""Most errors reported for one request; more would not help to correct it."""

NAME_CHARACTERS = 80
"""Most characters of a client's own name for something that an error shows."""

# --- connections ---------------------------------------------------------------------------------

CONNECTIONS = 10_000
OTHER_FILES = 200
"""Connections of a process; fewer, if it may not have these files open beside them. With one more,
a connection that never brought a request is closed. 6,000 idle connections harmed nobody."""

STREAMS = 2000
"""Event streams that a process has open: each looks for changes five times a second."""

HEAD_BYTES = 64 * 1024
"""Longest head of a request; a longer head is answered with 431."""

FORWARDED_HOPS = 10
"""Proxies that a request may have passed, one behind the other, for the log to tell its client."""

PIPELINED_REQUESTS = 100
"""Requests that a client may send before the first of them is answered."""

LOOK_SECONDS = 5.0
LOOKS = 4
"""A request that is not whole after so many looks, 15 to 20 s after it began, is given up. So is an
answer of which the client took nothing in that time."""

# --- threads and turns ---------------------------------------------------------------------------

PREDICT_THREADS = 1
"""Large requests that are predicted at once: more would only take turns, and hold up the small
requests."""

STORE_THREADS = 8
STORE_SECONDS = 2.8
"""Calls that ask the store of versions at once, and the longest that a client waits for one. A
bucket's own time-out ends each request to it, but a call may need several."""

METRICS_THREADS = 1
"""A thread for `/metrics` alone, because the other threads may all be waiting for Redis."""

STREAM_THREADS = 4
"""Event streams that ask Redis at once. While Redis is frozen, each holds its thread for the whole
time-out; 150 streams on the threads of all handlers made GET /jobs wait for 3.6 s."""

HANDLER_THREADS = 40
"""Threads that AnyIO gives the handlers of FastAPI, its default."""

REDIS_TURNS = 30
"""Other calls that ask Redis at once. A call that has its turn never waits for a thread."""

SWITCH_SECONDS = 0.0005
"""Longest wait of the event loop for a thread that computes; Python's own is 5 ms. Beside a client
that sends 10,000 rows without a pause, it halves the median for everybody else."""

# --- waiting -------------------------------------------------------------------------------------

TURN_SECONDS = 1.0
"""Longest wait of a call for its turn to ask Redis."""

METRICS_SECONDS = 0.5
"""Longest wait of `/metrics` for what Redis has to tell."""

RETRY_AFTER_SECONDS = 5
"""When a client that was answered with 503 should ask again."""

KEPT_SECONDS = 1.0
KEPT_LOOK_SECONDS = 0.05
"""How long a call that chooses a version waits for the worker's note of the choice on the volume,
and the time between two looks. The worker loads the version first, and takes some 50 ms."""

REFUSED_VERSION_SECONDS = 5.0
"""A version that was refused is tried again after this time."""

REPLICA_RENEW_SECONDS = 3.0
"""Time between two notes of a process in the list of replicas."""

REPLICA_EXPIRES_SECONDS = 10
"""A process that was killed stays in the list of replicas for this time."""

EVENTS_SECONDS = 0.2
"""Time between two looks of an event stream for changes of its job."""

EVENTS_PING_SECONDS = 15.0
"""Time between two signs of life of an event stream."""

# --- starting and stopping -----------------------------------------------------------------------

FIRST_LOOK_SECONDS = 5.0
"""How long a process that starts waits for its model before it takes requests."""

FIT_LOOK_SECONDS = 0.2
"""Time between two looks of a process that starts and cannot serve what the others serve."""

HEALTHCHECK_SECONDS = 30
"""How long uvicorn's parent waits for a sign of life before it kills a process. A load on a busy
machine can take longer than uvicorn's own 5 s."""

DRAIN_SECONDS = 4
"""How long a process that stops waits for its last answers. Without it, an open event stream would
keep the process from ever stopping."""

LAST_REQUEST_SECONDS = 0.5
"""How long an idle connection of a process that stops may bring one more request."""

# -------------------------------------------------------------------------------------------------

assert STREAMS < CONNECTIONS, "event streams could take every connection"
assert REDIS_TURNS < HANDLER_THREADS, "a call that has its turn would wait for a thread"
assert CALL_BYTES <= INLINE_BYTES, "a call would take as much of the event loop as predictions may"
assert REQUEST_BYTES + INLINE_BYTES <= TURN_BYTES, "no turn would admit the largest small body"
assert LAST_REQUEST_SECONDS < DRAIN_SECONDS, "the last requests would be cut off"
assert KEPT_SECONDS < STORE_SECONDS, "a choice would be answered later than other calls"
assert KEPT_SECONDS < DRAIN_SECONDS, "the answer to a choice would be cut off"
assert FIRST_LOOK_SECONDS < HEALTHCHECK_SECONDS, "a process that loads its model would be killed"
assert DISCARD_SECONDS <= (LOOKS - 1) * LOOK_SECONDS, "a refused client would lose its answer"
assert METRICS_SECONDS <= TURN_SECONDS, "a scrape would wait longer than a call"
assert 2 * REPLICA_RENEW_SECONDS < REPLICA_EXPIRES_SECONDS, "a live process would drop off the list"
assert EVENTS_SECONDS < EVENTS_PING_SECONDS, "a stream would only give signs of life"
