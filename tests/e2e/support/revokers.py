"""Many at once who revoke, and know what was acknowledged."""

import threading

import grpc

from support.client import Client, token_id_target
from support.issuers import URL
from support.waiting import wait_until

REVOKERS = 64


class Revokers:
    """64 at work at once, each with one call in flight, until the server is gone."""

    def __init__(self, target: str, prefix: str):
        self.acknowledged: list[str] = []
        self.statuses: set[grpc.StatusCode] = set()
        self.sent = 0
        self._prefix = prefix
        self._clients = [Client(target) for _ in range(8)]
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(REVOKERS)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, number: int):
        stub = self._clients[number % len(self._clients)].stub
        for count in range(1_000_000):
            token_id = f"{self._prefix}-{number}-{count}"
            try:
                self.sent += 1
                stub.Revoke(token_id_target(URL, token_id), timeout=60)
            except grpc.RpcError as error:
                self.statuses.add(error.code())
                return
            self.acknowledged.append(token_id)

    def wait_for(self, count: int):
        wait_until(lambda: len(self.acknowledged) >= count, f"{count} acknowledged revocations")

    def join(self):
        for thread in self._threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self._threads)
        for client in self._clients:
            client.close()
