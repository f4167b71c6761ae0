"""A bad network between agents and their API: a TCP proxy that loses requests, loses answers, breaks connections in the
middle of a message and delays. TLS passes through unread."""
import asyncio
import threading


class Proxy:
    """Forwards 127.0.0.1:port to 127.0.0.1:target. While `bad`, each piece of data may be dropped with its connection."""

    def __init__(self, port, target, rng, drop=0.04, delay_s=0.1):
        self.port = port
        self.target = target
        self.rng = rng
        self.drop = drop
        self.delay_s = delay_s
        self.bad = False
        self.counts = {"requests lost": 0, "answers lost": 0, "broken in the middle": 0, "connections": 0}
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self.run, args=(started,), daemon=True).start()
        started.wait()

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", self.port))
        started.set()
        self.loop.run_forever()

    async def serve(self, reader, writer):
        self.counts["connections"] += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        ways = [asyncio.ensure_future(self.forward(reader, far_writer, "requests lost")),
                asyncio.ensure_future(self.forward(far_reader, writer, "answers lost"))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):
            end.transport.abort()

    async def forward(self, reader, writer, loss):
        """Ends when one side does, or when something is lost: both sides are broken then."""
        try:
            while data := await reader.read(65536):
                if self.bad:
                    if self.rng.random() < self.drop:
                        half = self.rng.random() < 0.5
                        self.counts["broken in the middle" if half else loss] += 1
                        if half:
                            writer.write(data[: len(data) // 2])
                            await writer.drain()
                        return
                    if self.rng.random() < 0.2:
                        await asyncio.sleep(self.rng.uniform(0, self.delay_s))
                writer.write(data)
                await writer.drain()
        except OSError:
            return
