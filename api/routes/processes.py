"""`GET /processes`."""

from fastapi import APIRouter

from api.dependencies import RedisTurn, ReplicasDep
from api.schemas.answers import Process, Processes
from api.schemas.documented import NO_REDIS

router = APIRouter(tags=["operations"], responses=NO_REDIS, dependencies=[RedisTurn])


@router.get("/processes")
def get_processes(replicas: ReplicasDep) -> Processes:
    """List which version each API process serves, over all hosts that share the Redis server.

    A process that was killed is listed for 10 s more.
    """
    return Processes(
        processes=[
            Process(process=process, model_version=version)
            for process, version in replicas.versions().items()
        ]
    )
