#!/usr/bin/python3
"""dnspeer.py ADDRESS=MODE...: name servers of every kind, at port 53 of these addresses; INTERFACE=link answers
multicast DNS there, asked with a TTL of 255.

    zone      answers names in .test and .local by their first label, see `Zone`, fails for any with a label
              "fails", and has no others (NXDOMAIN)
    silent    never answers
    servfail  always fails
    refused   does not want to be asked
    junk      answers with random bytes
    v4only    as zone, but fails for AAAA

Says "ready" when all listen, and each question that it gets on standard error: ADDRESS NAME TYPE.
"""

import ipaddress
import random
import select
import socket
import struct
import sys
import threading

IP_RECVTTL = 12  # ip(7)
A, CNAME, AAAA = 1, 5, 28
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
BAD = {A: ["203.0.113.66"], AAAA: ["2001:db8:bad::66"]}  # never to be believed
BOTH = {A: ["192.0.2.1"], AAAA: ["2001:db8::1"]}


def record(name, kind, data):
    return name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def addresses(kind, which, name=b"\xc0\x0c"):
    return [record(name, kind, ipaddress.ip_address(a).packed) for a in which.get(kind, [])]


def labels(name):
    return b"".join(bytes([len(n)]) + n for n in name.split(b".")) + b"\0"


class Question:
    def __init__(self, packet):
        self.id, self.packet, self.names = packet[:2], packet, []
        at = 12
        while packet[at]:
            self.names.append(packet[at + 1 : at + 1 + packet[at]])
            at += 1 + packet[at]
        self.kind = struct.unpack(">H", packet[at + 1 : at + 3])[0]
        self.asked = packet[12 : at + 5]
        self.name = b".".join(self.names).decode("latin1")

    def answer(self, records=(), rcode=0, cut=0, id=None, asked=None, count=None):
        flags = 0x8180 | rcode | cut << 9
        count = len(records) if count is None else count
        head = struct.pack(">HHHHH", flags, 1, count, 0, 0)
        return (id or self.id) + head + (asked or self.asked) + b"".join(records)


class Zone:
    """A method for each first label that is known: the packets that answer it."""

    def both(self, q):
        return [q.answer(addresses(q.kind, BOTH))]

    def four(self, q):
        return [q.answer(addresses(q.kind, {A: ["192.0.2.4"]}))]

    def six(self, q):
        return [q.answer(addresses(q.kind, {AAAA: ["2001:db8::6"]}))]

    def nothing(self, q):
        return [q.answer()]

    def alias(self, q):
        chain = [record(b"\xc0\x0c", CNAME, labels(b"one.example")), record(labels(b"one.example"), CNAME, labels(b"two.example"))]
        return [q.answer(chain + addresses(q.kind, BOTH, labels(b"two.example")))]

    def many(self, q):
        if q.kind == A:
            return [q.answer(addresses(A, {A: ["192.0.2.%d" % n for n in range(1, 21)]}))]
        return [q.answer(addresses(AAAA, {AAAA: ["2001:db8::%d" % n for n in range(1, 16)]}))]

    def twice(self, q):
        return [q.answer(addresses(q.kind, BOTH) * 2)]

    def noaaaa(self, q):  # a server that does not know what that is
        return [] if q.kind == AAAA else self.both(q)

    def failaaaa(self, q):
        return [q.answer(rcode=SERVFAIL)] if q.kind == AAAA else self.both(q)

    def nxaaaa(self, q):  # a load balancer that should say "none" (RFC 4074, 4.2)
        return [q.answer(rcode=NXDOMAIN)] if q.kind == AAAA else self.both(q)

    def cut(self, q):  # two records were to come, and a part of the second is there
        two = addresses(q.kind, BOTH) + addresses(q.kind, BAD)
        return [q.answer(two, cut=1)[:-3]]

    def cutempty(self, q):
        return [q.answer(cut=1)]

    def failsfull(self, q):  # fails, and has addresses all the same
        return [q.answer(addresses(q.kind, BAD), rcode=SERVFAIL)]

    def wrongid(self, q):
        return [q.answer(addresses(q.kind, BAD), id=bytes([q.id[0] ^ 1, q.id[1]]))] + self.both(q)

    def wrongname(self, q):
        return [q.answer(addresses(q.kind, BAD), asked=q.asked.swapcase())] + self.both(q)

    def wrongtype(self, q):
        other = AAAA if q.kind == A else A
        asked = q.asked[:-4] + struct.pack(">HH", other, 1)
        return [q.answer(addresses(q.kind, BAD), asked=asked)] + self.both(q)

    def question(self, q):  # sent back as it came
        return [q.packet] + self.both(q)

    def empty(self, q):
        return [b"", b"\0", q.id, q.answer()[:12]] + self.both(q)

    def random(self, q):
        return [random.randbytes(n) for n in (1, 11, 12, 13, 100, 512, 1500, 4000)] + self.both(q)

    def loop(self, q):  # a name that points to itself, before and in a record
        at = 12 + len(q.asked)
        itself = struct.pack(">H", 0xC000 | at)
        return [q.answer([record(itself, q.kind, ipaddress.ip_address(BOTH[q.kind][0]).packed)])]

    def long(self, q):  # a record that says it is longer than all there is
        good = addresses(q.kind, BOTH)
        return [q.answer(good + [b"\xc0\x0c" + struct.pack(">HHIH", q.kind, 1, 60, 65535)], count=65535)]

    def odd(self, q):  # addresses of other lengths, types and classes
        data = ipaddress.ip_address(BAD[q.kind][0]).packed
        bad = [record(b"\xc0\x0c", q.kind, data + b"\0"), record(b"\xc0\x0c", q.kind, data[:-1]), record(b"\xc0\x0c", 16, data)]
        chaos = b"\xc0\x0c" + struct.pack(">HHIH", q.kind, 3, 60, len(data)) + data
        return [q.answer(bad + [chaos] + addresses(q.kind, BOTH))]

    def slow(self, q):
        return [0.7] + self.both(q)

    def slowaaaa(self, q):  # but in time
        return ([0.4] if q.kind == AAAA else []) + self.both(q)

    def flood(self, q):  # junk without end, and nothing else
        return [0.0005, q.answer(addresses(q.kind, BAD), id=b"\0\0")] * 20000

    lost = set()

    def lostonce(self, q):
        if (q.name, q.kind) not in self.lost:
            self.lost.add((q.name, q.kind))
            return []
        return self.both(q)


class Link(Zone):
    """What answers on a network: bits and sections as RFC 6762 has them."""

    def answer(self, q, which, name=None, kind=None):
        flush = record(name or labels(b".".join(q.names)), kind or q.kind, b"")[:-10]
        found = []
        for a in which.get(kind or q.kind, []):
            data = ipaddress.ip_address(a).packed
            found.append(flush + struct.pack(">HHIH", kind or q.kind, 0x8001, 120, len(data)) + data)
        return q.id + struct.pack(">HHHHH", 0x8400, 0, len(found), 0, 0) + b"".join(found)

    def plain(self, q):  # the question is not repeated
        return [self.answer(q, BOTH)]

    def upper(self, q):
        return [self.answer(q, BOTH, labels(b".".join(q.names).upper()))]

    def linklocal(self, q):
        return [self.answer(q, {AAAA: ["fe80::77"]})]

    def others(self, q):  # of somebody else, and of names that are nearly this one
        names = (b"x.local", b"others.local.local", b"others", b"xothers.local", b"other.local")
        return [self.answer(q, BAD, labels(n)) for n in names] + [self.answer(q, BOTH)]

    def pointers(self, q):  # a name that begins again, one that points ahead, one beyond the end
        return [self.answer(q, BAD, n) for n in (b"\xc0\x0c", b"\x08pointers\xc0\x0c", b"\xc0\x10", b"\xff\xff")] + self.both(q)

    def nosuch(self, q):  # silence is how multicast DNS says no; this is none
        return [q.answer(rcode=NXDOMAIN), q.answer()] + self.both(q)


def packets(mode, q):
    if mode == "link":
        known = getattr(Link(), q.names[0].decode("latin1").lower(), None)
        return known(q) if known and q.kind in (A, AAAA) and len(q.names) == 2 else []
    if mode == "silent":
        return []
    if mode in ("servfail", "refused") or (mode == "v4only" and q.kind == AAAA):
        return [q.answer(rcode=REFUSED if mode == "refused" else SERVFAIL)]
    if mode == "junk":
        return [random.randbytes(64)]
    if b"fails" in q.names:
        return [q.answer(rcode=SERVFAIL)]
    known = getattr(Zone(), q.names[0].decode("latin1").lower(), None)
    if known is None or len(q.names) > 1 and q.names[-1].lower() not in (b"test", b"local"):
        return [q.answer(rcode=NXDOMAIN)]
    return known(q)


def send(s, to, what):
    for p in what:
        if isinstance(p, float):
            threading.Event().wait(p)
        else:
            s.sendto(p, to)


def join(interface):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("224.0.0.251", 5353))
    group = socket.inet_aton("224.0.0.251") + struct.pack("=4si", bytes(4), socket.if_nametoindex(interface))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    s.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    return s


def main():
    modes = {}
    for word in sys.argv[1:]:
        address, mode = word.rsplit("=", 1)
        if mode == "link":
            modes[join(address)] = address, mode
            continue
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(socket.getaddrinfo(address, 53, type=socket.SOCK_DGRAM)[0][4])
        modes[s] = address, mode
    print("ready", flush=True)
    while True:
        for s in select.select(list(modes), [], [])[0]:
            packet, extra, _, to = s.recvmsg(4096, 64)
            address, mode = modes[s]
            if mode == "link" and extra[0][2][0] != 255:  # it may have come through a router (RFC 6762, 11)
                continue
            if packet[2] & 0x80:  # somebody's answer, to a group
                continue
            q = Question(packet)
            print(address, q.name, {A: "A", AAAA: "AAAA"}.get(q.kind, "?"), file=sys.stderr, flush=True)
            threading.Thread(target=send, args=(s, to, packets(mode, q)), daemon=True).start()


main()
