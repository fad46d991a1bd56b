"""Calls an Azure function app for HTTP requests: `azure_host.py PORT`, in the folder of the app.

Azure's own host cannot be had. This one passes on what that passes on, on one event loop as it
does: a request with its path, headers and body.
"""

import asyncio
import sys
from typing import Any

import azure.functions
from function_app import app


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    (function,) = app.get_functions()
    call: Any = function.get_user_function()
    # An idle connection ends with the process.
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        lengths = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(lengths.get("content-length", 0)))
        request = azure.functions.HttpRequest(
            method, f"http://127.0.0.1{path}", headers=headers, body=body
        )
        found = await call(request, None)
        lines = {**found.headers, "content-length": str(len(found.get_body()))}
        written = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        start = f"HTTP/1.1 {found.status_code} Said\r\n{written}\r\n"
        writer.write(start.encode() + found.get_body())
        await writer.drain()


async def _serve(port: int) -> None:
    async with await asyncio.start_server(_answer, "127.0.0.1", port) as server:
        await server.serve_forever()


asyncio.run(_serve(int(sys.argv[1])))
