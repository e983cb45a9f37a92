"""A receiver of webhooks on a free loopback port, which counts by key and can be made to misbehave."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Takes what is posted, as a context manager.

    Attributes:
        requests: how often each Idempotency-Key came.
        seen: bodies and headers by key, of those that were taken.
        behave: gives the status to answer, or None to hang; called with the number of the request.
    """

    def __init__(self, behave=lambda number: 204, headers=None, drip=0.0):
        """Start as told."""
        self.requests = Counter()
        self.taken = Counter()
        self.seen = {}
        self.behave = behave
        self.headers = headers or {}
        self.drip = drip
        self.number = 0
        self.lock = threading.Lock()
        self.released = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                with owner.lock:
                    number, owner.number = owner.number, owner.number + 1
                    owner.requests[key] += 1
                    status = owner.behave(number)
                    if status is None or 200 <= status < 300:
                        owner.taken[key] += 1
                        owner.seen.setdefault(key, []).append((dict(self.headers), body))
                if status is None:
                    owner.released.wait(30)
                    return
                try:
                    if owner.drip:
                        for byte in b"HTTP/1.1 200 OK":
                            self.wfile.write(bytes([byte]))
                            self.wfile.flush()
                            time.sleep(owner.drip)
                    self.send_response(status)
                    for name, value in owner.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            # Few may wait by default; a relay whose connection waits for too long comes back later.
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def bodies(self):
        """Give what was taken, as JSON."""
        return [json.loads(body) for got in self.seen.values() for _, body in got]

    def __enter__(self):
        """Start."""
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        """Stop."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
