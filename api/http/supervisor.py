"""The parent of the API's processes: starts them, replaces them, and stops them."""

from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """uvicorn's parent, which replaces processes that died, and on SIGHUP each process in turn."""

    def terminate_all(self) -> None:
        # The kernel lets clients connect as long as one copy of the listening socket is open. If
        # this copy stayed open until the last process ends, they would wait and then be cut off.
        for socket in self.sockets:
            socket.close()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        # A process may be killed while the parent asks for its health. If the parent kept its copy
        # of the child's end of the pipe open, the pipe would not end, and the parent would replace
        # the process only after the 30 s that the answer may take.
        for process in self.processes:
            process.child_conn.close()
        super().keep_subprocess_alive()
