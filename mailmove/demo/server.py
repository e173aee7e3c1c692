"""An IMAP server in a process of its own: pymap with its in-memory backend, on loopback, on a port of its choosing.

``python -m mailmove.demo.server USER`` prints the port and serves until its standard input ends. The password is in
MAILMOVE_PASSWORD: others can read a command line.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from contextlib import AsyncExitStack


async def serve(user: str, password: str) -> None:
    """Serve one mailbox until standard input ends."""
    from pymap.backend.dict import DictBackend
    from pymap.imap import IMAPServer, IMAPService

    parser = argparse.ArgumentParser()
    IMAPService.add_arguments(parser)
    parser.add_argument("--passlib-cfg")
    arguments = parser.parse_args(["--no-tls"])
    arguments.__dict__.update(debug=False, demo_data=False, demo_user=user, demo_password=password)
    backend, config = await DictBackend.init(arguments, reject_insecure_auth=False)
    config.apply_context()
    async with AsyncExitStack() as stack:
        await backend.start(stack)
        from proxyprotocol.reader import ProxyProtocolReader

        connected = ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(backend.login, config))
        server = await stack.enter_async_context(await asyncio.start_server(connected, "127.0.0.1", 0))
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        server.close()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(serve(sys.argv[1], os.environ["MAILMOVE_PASSWORD"]))
