"""The parent of the API's processes: starts them, replaces them, and stops them."""

from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """uvicorn's own, which replaces a process that died, and all of them in turn on SIGHUP."""

    def terminate_all(self) -> None:
        # As long as one copy of the listening socket is open, the kernel lets clients connect. With
        # this one open until the last process has ended, they would wait and then be cut off.
        for socket in self.sockets:
            socket.close()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        # With the parent's copy of the child's end open, the pipe of a process that is killed while
        # it is asked for its health has no end, and the process is replaced only after the 30 s
        # that the answer may take.
        for process in self.processes:
            process.child_conn.close()
        super().keep_subprocess_alive()
