"""A bucket that lies in the memory of the test: obstore's own, with our storage over it."""

from obstore.store import MemoryStore

from shared.versions.storage.bucket import BucketStorage


def bucket_in_memory() -> BucketStorage:
    """Return a new, empty bucket."""
    store = MemoryStore()
    return BucketStorage("memory://bucket", store, store)
