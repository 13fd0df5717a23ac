"""One end of a matrix of reachability: serves its peers, asks them all at once, and says whose requests came by.

Serves TCP at ports 8080 and 5000 and datagrams at port 5000, each with an echo; the kernel answers pings. Lines of JSON come in
and go out:

    {"ask": [["tcp", "10.244.0.3", 8080, true], ["ping", "fd00::3", 0, false], ...], "silence": 0.4, "patience": 2}
                                          [true, false, ...], or the name of an error that the kernel told
    {"heard": ["10.244.0.7", ...]}        requests to these addresses of its own since it was last asked: ["10.244.0.3 tcp 8080", ...]

What is refused is silent: where an answer is expected (true) it is waited for with patience, elsewhere until silence is believed.
"""
import errno, ipaddress, json, os, select, selectors, socket, struct, sys, time

TCP_PORTS, UDP_PORT = (8080, 5000), 5000
ETH_P_ALL, PACKET_OUTGOING, SO_RCVBUFFORCE = 3, 4, 33
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
ECHO = {4: (socket.AF_INET, socket.getprotobyname('icmp'), 8, 0), 6: (socket.AF_INET6, ICMPV6, 128, 129)}
IDENT = os.getpid() & 0xffff

selector = selectors.DefaultSelector()


def family(host): return 6 if ':' in host else 4


def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def serve():
    for port in TCP_PORTS:
        listener = socket.create_server(('::', port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, accept)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    udp.bind(('::', UDP_PORT))
    udp.setblocking(False)
    selector.register(udp, selectors.EVENT_READ, echo_datagram)


def accept(listener):
    connection, _ = listener.accept()
    connection.setblocking(False)
    selector.register(connection, selectors.EVENT_READ, echo_stream)


def echo_stream(connection):
    try:
        data = connection.recv(65536)
        if data: connection.send(data)
    except BlockingIOError: return
    except OSError: data = b''
    if not data:
        selector.unregister(connection)
        connection.close()


def echo_datagram(udp):
    """From the address that was asked, of several that a host may have."""
    data, [(level, kind, info)], _, peer = udp.recvmsg(65535, socket.CMSG_SPACE(20))
    try: udp.sendmsg([data], [(level, kind, info[:16] + bytes(4))], 0, peer)
    except OSError: pass


class Ear:
    """Requests that come in by any interface: neither replies nor what is sent from here."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.socket.setblocking(False)
        self.requests = set()
        selector.register(self.socket, selectors.EVENT_READ, self.read)

    def read(self, _=None):
        for packet in range(256):
            try: data, where = self.socket.recvfrom(256)
            except BlockingIOError: return
            if where[2] == PACKET_OUTGOING or where[0] == 'lo' or len(data) < 40: continue
            if data[0] >> 4 == 4: self.note(data[12:16], data[16:20], data[9], data[(data[0] & 15) * 4:])
            elif data[0] >> 4 == 6: self.note(data[8:24], data[24:40], data[6], data[40:])

    def note(self, source, destination, protocol, rest):
        if len(rest) < 8: return
        port = struct.unpack('!H', rest[2:4])[0]
        if protocol == TCP and len(rest) >= 14 and rest[13] & 0x12 == 2: kind = 'tcp %d' % port
        elif protocol == UDP and port == UDP_PORT: kind = 'udp %d' % port
        elif (protocol, rest[0]) in ((ICMP, 8), (ICMPV6, 128)): kind = 'ping 0'
        else: return
        self.requests.add((source, destination, kind))

    def take(self, own):
        self.read()
        mine = {ipaddress.ip_address(address).packed for address in own}
        heard = ['%s %s' % (ipaddress.ip_address(s), kind) for s, d, kind in self.requests if d in mine]
        self.requests.clear()
        return sorted(set(heard))


class Question:
    """All that is asked at once, and what of it was answered."""
    number = 0

    def __init__(self, targets, silence, patience):
        self.answers = [False] * len(targets)
        # Sockets that wait; indexes of targets that have not answered, by whether they are expected to.
        self.open, self.pings = set(), {}
        self.awaited = {True: set(), False: set()}
        # One identifier for all questions, so that their pings are one flow to whoever follows them.
        Question.number += 1
        for index, (kind, host, port, expected) in enumerate(targets):
            self.awaited[expected].add(index)
            try: getattr(self, kind)(index, host, port)
            except OSError as e: self.answer(index, errno.errorcode[e.errno])
        begun = time.monotonic()
        for expected, seconds in ((True, patience), (False, silence)):
            while self.awaited[expected] and (left := begun + seconds - time.monotonic()) > 0: turn(left)
        for s in [*self.open, *self.pings.values()]: self.end(s)

    def answer(self, index, answer):
        self.answers[index] = answer
        for indexes in self.awaited.values(): indexes.discard(index)

    def start(self, s, events, done):
        s.setblocking(False)
        self.open.add(s)
        selector.register(s, events, done)

    def end(self, s):
        self.open.discard(s)
        selector.unregister(s)
        s.close()

    def tcp(self, index, host, port):
        s = socket.socket(ECHO[family(host)][0], socket.SOCK_STREAM)
        # Closed by a reset, so that nothing of it is left on the way.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.setblocking(False)
        error = s.connect_ex((host, port))
        if error not in (0, errno.EINPROGRESS):
            s.close()
            raise OSError(error, 'connect')

        def done(s):
            error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.answer(index, errno.errorcode[error] if error else True)
            self.end(s)
        self.start(s, selectors.EVENT_WRITE, done)

    def udp(self, index, host, port):
        s = socket.socket(ECHO[family(host)][0], socket.SOCK_DGRAM)
        s.connect((host, port))
        s.send(b'%d' % index)

        def done(s):
            try: self.answer(index, s.recv(100) == b'%d' % index)
            except OSError as e: self.answer(index, errno.errorcode[e.errno])
            self.end(s)
        self.start(s, selectors.EVENT_READ, done)

    def ping(self, index, host, _):
        version = family(host)
        domain, protocol, request, reply = ECHO[version]
        if version not in self.pings:
            s = self.pings[version] = socket.socket(domain, socket.SOCK_RAW, protocol)
            s.setblocking(False)
            selector.register(s, selectors.EVENT_READ, lambda s: self.pong(s, version))
        # The kernel fills in the checksum of ICMPv6, which covers addresses.
        message = struct.pack('!BBHHHI', request, 0, 0, IDENT, index, self.number)
        self.pings[version].sendto(message[:2] + struct.pack('!H', checksum(message)) + message[4:], (host, 0))

    def pong(self, s, version):
        data = s.recv(2000)
        if version == 4: data = data[(data[0] & 15) * 4:]
        if len(data) < 12: return
        kind, _, _, ident, index, number = struct.unpack('!BBHHHI', data[:12])
        if (kind, ident, number) != (ECHO[version][3], IDENT, self.number): return
        self.answer(index, True)


def turn(seconds):
    for key, _ in selector.select(max(0, seconds)): key.data(key.fileobj)


serve()
ear = Ear()
waiting = b''
todo = []


def command(_):
    global waiting
    data = os.read(0, 1 << 20)
    if not data: sys.exit(0)
    *whole, waiting = (waiting + data).split(b'\n')
    todo.extend(json.loads(line) for line in whole)


selector.register(0, selectors.EVENT_READ, command)
print(json.dumps('ready'), flush=True)
while True:
    turn(60)
    while todo:
        words = todo.pop(0)
        if 'ask' in words: answer = Question(words['ask'], words['silence'], words['patience']).answers
        else: answer = ear.take(words['heard'])
        print(json.dumps(answer), flush=True)
