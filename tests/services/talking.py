"""A client that says what it likes, as slowly as it likes."""

import socket
import time


def talk(port, *pieces, wait=0.0):
    """Send pieces over one connection, with pauses; give all that comes back until it is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(wait)
        except (BrokenPipeError, ConnectionResetError):
            pass
        heard = b""
        try:
            while some := connection.recv(65536):
                heard += some
        except ConnectionResetError:
            pass
        return heard.decode()
