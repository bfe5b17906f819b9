#!/usr/bin/python3
"""noisepeer.py: the keyed protocol over dissononce: a client or a server of one connection.

    noisepeer.py [--chunk N] client HOST:PORT KEYFILE            types its standard input, shows the output
    noisepeer.py [--chunk N] server HOST:PORT KEYFILE [STATUS]   gives back what it gets, then EXIT

The client's status is the command's; 255: no such server, another key, or cut before EXIT. The server
leaves with 0 when its client said EOF, else with 1. --chunk: at most N bytes of data a record.
"""

import argparse
import base64
import os
import re
import socket
import struct
import sys
import threading

from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.exceptions.decrypt import DecryptFailedException
from dissononce.hash.sha256 import SHA256Hash
from dissononce.processing.handshakepatterns.interactive.NN import NNHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState
from dissononce.processing.modifiers.psk import PSKPatternModifier

ROWS, COLS, HELLO, EXIT, EOF = 100, 101, 102, 103, 104
NOTICE, WELCOME = 201, 202
REKEY = 65536
BANNER = b"ptybox-noise-1 %s keyed port: use ptyattach -k KEYFILE\r\n"


class Bad(Exception):
    """What the other side did wrong."""


def frame(kind, size, payload=b""):
    return struct.pack("<BHB", 0, size, kind) + payload


def rekey(state):
    """The library's own does not cut the new key to 32 bytes, and counts from 0 again."""
    if state._nonce % REKEY == 0:
        state._key = state.cipher.rekey(state._key)[:32]


class Link:
    def __init__(self, conn, key, prologue, initiator):
        self.conn = conn
        self.lock = threading.Lock()
        self.pending = b""
        state = HandshakeState(SymmetricState(CipherState(ChaChaPolyCipher()), SHA256Hash()), X25519DH())
        pattern = PSKPatternModifier(0).modify(NNHandshakePattern())
        state.initialize(pattern, initiator, prologue, psks=(key,))
        for turn in range(2):
            message = bytearray()
            if (turn == 0) == initiator:
                ways = state.write_message(b"", message)
                self.send(bytes(message))
            else:
                ways = state.read_message(self.receive(), message)
                if message:
                    raise Bad("a payload in the handshake")
        self.out, self.into = ways if initiator else ways[::-1]

    def send(self, message):
        self.conn.sendall(struct.pack(">H", len(message)) + message)

    def receive(self):
        return take(self.conn, struct.unpack(">H", take(self.conn, 2))[0])

    def record(self, stream):
        with self.lock:
            text = struct.pack("<H", len(stream)) + stream
            message = self.out.encrypt_with_ad(b"", text + bytes(-len(text) % 64))
            rekey(self.out)
            self.send(message)

    def data(self, payload, chunk):
        for at in range(0, len(payload), chunk):
            part = payload[at : at + chunk]
            self.record(frame(0, len(part), part))

    def more(self):
        text = self.into.decrypt_with_ad(b"", self.receive())
        rekey(self.into)
        if not text or len(text) % 64:
            raise Bad("a record of %d bytes" % len(text))
        n = struct.unpack_from("<H", text)[0]
        if n > 4096 or (n + 2 + 63) // 64 * 64 != len(text) or text[2 + n :].strip(b"\0"):
            raise Bad("%d bytes in a record of %d" % (n, len(text)))
        self.pending += text[2 : 2 + n]

    def next(self):
        """The next frame: its type, its size, its payload."""
        while True:
            p = self.pending
            if len(p) >= 4:
                zero, size, kind = struct.unpack_from("<BHB", p)
                if zero:
                    raise Bad("not a frame")
                end = 4 + (size if kind == 0 or kind >= 200 else 0)
                if len(p) >= end:
                    self.pending = p[end:]
                    return kind, size, p[4:end]
            self.more()


def take(conn, n):
    got = b""
    while len(got) < n:
        more = conn.recv(n - len(got))
        if not more:
            raise Bad("cut")
        got += more
    return got


def types(link, chunk):
    try:
        while True:
            typed = os.read(0, 32768)
            if not typed:
                link.record(frame(EOF, 0))
                return
            link.data(typed, chunk)
    except OSError:
        return  # the other side is gone, as its reader finds out too


def client(addr, key, chunk):
    conn = socket.create_connection(addr)
    line = take(conn, len(BANNER % bytes(32)))
    if not re.fullmatch(BANNER % b"[0-9a-f]{32}", line):
        raise Bad("not a keyed server: %r" % line)
    link = Link(conn, key, line, True)
    link.record(frame(HELLO, 1) + frame(ROWS, 24) + frame(COLS, 80) + frame(0, 0))
    kind, _, payload = link.next()
    if kind != WELCOME or not payload.startswith(b"ptybox/1"):
        raise Bad("no WELCOME but %d %r" % (kind, payload))
    threading.Thread(target=types, args=(link, chunk), daemon=True).start()
    while True:
        kind, size, payload = link.next()
        if kind == 0:
            sys.stdout.buffer.write(payload)
            sys.stdout.buffer.flush()
        elif kind == NOTICE:
            sys.stderr.write(payload.decode(errors="replace") + "\n")
        elif kind == EXIT:
            return size


def server(addr, key, chunk, status):
    with socket.create_server(addr) as listener:
        conn = listener.accept()[0]
    line = BANNER % os.urandom(16).hex().encode()
    conn.sendall(line)
    link = Link(conn, key, line, False)
    while True:
        kind, _, payload = link.next()
        if kind == HELLO:
            link.record(frame(WELCOME, 8, b"ptybox/1"))
        elif kind == 0:
            link.data(payload, chunk)
        elif kind == EOF:
            link.record(frame(EXIT, status))
            return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunk", type=int, default=4092)
    parser.add_argument("role", choices=("client", "server"))
    parser.add_argument("addr")
    parser.add_argument("keyfile")
    parser.add_argument("status", type=int, nargs="?", default=0)
    args = parser.parse_args()
    host, port = args.addr.rsplit(":", 1)
    try:
        with open(args.keyfile, "rb") as file:
            key = base64.b64decode(file.read(), validate=False)
        if args.role == "client":
            return client((host, int(port)), key, args.chunk)
        return server((host, int(port)), key, args.chunk, args.status)
    except (Bad, DecryptFailedException, OSError) as what:
        sys.stderr.write("noisepeer.py: %s\n" % (str(what) or type(what).__name__))
        return 255 if args.role == "client" else 1


if __name__ == "__main__":
    # os._exit: the thread that reads standard input may be in it
    code = main()
    sys.stdout.flush()
    os._exit(code)
