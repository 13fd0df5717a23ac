"""Talks without a pause, in numbers: who heard which number last says what was let through, and since when not.

Echoes at port 7000, TCP and datagrams, what it is sent. Lines of JSON come in and go out:

    {"talk": "udp"|"tcp", "host": "10.244.0.3", "port": 7000, "pause": 0.005}     0: how this talk is called
    {"talks": true}     [{"sent": 17, "back": 16, "error": null}, ...]: the last number that was sent, and that came back
    {"hush": true}      0: no talk that has begun goes on; what is asked about it stays as it was
    {"heard": "10.244.0.3"}     {"udp": [12, 16], "tcp": [3, 2], "icmp": [1, 0], "packets": 16}: how many packets of this
                        sender came, and the highest number in them, since the program began
    {"once": "udp", "host": ..., "port": ..., "size": 8000, "wait": 3}     what one datagram ends with: how much came back, or an error
    {"mtu": "198.51.100.9", "size": 1400, "wait": 9}   the path MTU that the kernel has learned by sending such datagrams, none in parts

Numbers are eight octets, big endian. A talk goes on through errors of the kernel: an interface that is not there yet, an
address that nobody has. TCP begins once and ends with its first error.
"""
import errno, json, socket, struct, sys, threading, time

PORT, ETH_P_ALL, PACKET_OUTGOING, SO_RCVBUFFORCE = 7000, 3, 4, 33
KINDS = {1: 'icmp', 58: 'icmp', 6: 'tcp', 17: 'udp'}
talks, senders, begun = [], {}, {}


def family(host): return socket.AF_INET6 if ':' in host else socket.AF_INET


def thread(work, *words): threading.Thread(target=work, args=words, daemon=True).start()


class Talk:
    def __init__(self, kind, host, port, pause):
        self.host, self.port, self.pause = host, port, pause
        self.sent, self.back, self.error, self.over = 0, 0, None, False
        thread(self.udp if kind == 'udp' else self.tcp)

    def facts(self): return {'sent': self.sent, 'back': self.back, 'error': self.error}

    def udp(self):
        """One socket, so one flow; not connected, so that no error of another packet gets in its way."""
        s = socket.socket(family(self.host), socket.SOCK_DGRAM)
        s.setblocking(False)
        while not self.over:
            # Counted before it is sent: a number that is told was never sent before.
            self.sent += 1
            try: s.sendto(struct.pack('!Q', self.sent), (self.host, self.port))
            except OSError: pass
            try:
                while True: self.back = max(self.back, struct.unpack('!Q', s.recv(100)[:8])[0])
            except OSError: pass
            time.sleep(self.pause)

    def tcp(self):
        s = socket.socket(family(self.host), socket.SOCK_STREAM)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            s.connect((self.host, self.port))
            s.setblocking(False)
            rest = b''
            while not self.over:
                try:
                    s.send(struct.pack('!Q', self.sent + 1))
                    self.sent += 1
                except BlockingIOError: pass
                try:
                    while data := s.recv(65536):
                        rest += data
                        whole = len(rest) & ~7
                        if whole: self.back = struct.unpack('!Q', rest[whole - 8:whole])[0]
                        rest = rest[whole:]
                    self.error = 'closed'
                    return
                except BlockingIOError: pass
                time.sleep(self.pause)
        except OSError as e: self.error = errno.errorcode[e.errno]


def listen():
    """Every packet that comes to this namespace, on interfaces that are not there yet too, by who has sent it."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    thread(count, s)


def count(s):
    while True:
        data, where = s.recvfrom(65535)
        if where[2] == PACKET_OUTGOING or where[0] == 'lo' or len(data) < 28: continue
        if data[0] >> 4 == 4:
            at, source, protocol = (data[0] & 15) * 4, socket.inet_ntop(socket.AF_INET, data[12:16]), data[9]
            # Without what Ethernet has filled up.
            data = data[:struct.unpack('!H', data[2:4])[0]]
        elif data[0] >> 4 == 6 and len(data) >= 48:
            at, source, protocol = 40, socket.inet_ntop(socket.AF_INET6, data[8:24]), data[6]
            data = data[:40 + struct.unpack('!H', data[4:6])[0]]
            # Neighbour discovery is not policy's business.
            if protocol == 58 and 133 <= data[40] <= 137: continue
        else: continue
        of = senders.setdefault(source, {'udp': [0, 0], 'tcp': [0, 0], 'icmp': [0, 0], 'packets': 0})
        of['packets'] += 1
        kind = KINDS.get(protocol)
        if kind is None: continue
        of[kind][0] += 1
        if kind == 'udp' and len(data) >= at + 16: highest = struct.unpack('!Q', data[-8:])[0]
        elif kind == 'tcp': highest = streamed(source, data[at:])
        else: highest = 0
        of[kind][1] = max(of[kind][1], highest)


def streamed(source, segment):
    """How many numbers of a stream have come with this segment, however they were cut: told by its sequence number."""
    port, _, sequence = struct.unpack('!HHI', segment[:8])
    if segment[13] & 2:
        begun[source, port] = sequence + 1
        return 0
    end = sequence + len(segment) - (segment[12] >> 4) * 4
    return (end - begun.get((source, port), end) & 0xffffffff) // 8


def serve():
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(('::', PORT))
    thread(echo_datagrams, udp)
    tcp = socket.create_server(('::', PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
    thread(accept, tcp)


def echo_datagrams(s):
    while True:
        try:
            data, peer = s.recvfrom(65535)
            s.sendto(data, peer)
        except OSError: pass


def accept(s):
    while True: thread(echo_stream, s.accept()[0])


def echo_stream(s):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while data := s.recv(65536): s.sendall(data)
    except OSError: pass


def once(host, port, size, wait):
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        s.settimeout(wait)
        try:
            s.connect((host, port))
            s.send(bytes(size))
            return len(s.recv(65535))
        except socket.timeout: return 'silence'
        except OSError as e: return errno.errorcode[e.errno]


def mtu(host, size, wait):
    """Don't Fragment, or its like: the kernel refuses what is larger than the path has been found to be."""
    six = ':' in host
    level, discover, asked = (41, 23, 24) if six else (0, 10, 14)
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        s.setsockopt(level, discover, 2)
        s.connect((host, PORT))
        begun = time.monotonic()
        while time.monotonic() < begun + wait:
            try: s.send(bytes(size))
            except OSError as e:
                if e.errno == errno.EMSGSIZE: break
            time.sleep(0.05)
        return s.getsockopt(level, asked)


def answer(words):
    if 'talk' in words:
        talks.append(Talk(words['talk'], words['host'], words['port'], words['pause']))
        return len(talks) - 1
    if 'hush' in words:
        for talk in talks: talk.over = True
        return 0
    if 'talks' in words: return [talk.facts() for talk in talks]
    if 'once' in words: return once(words['host'], words['port'], words['size'], words['wait'])
    if 'mtu' in words: return mtu(words['mtu'], words['size'], words['wait'])
    return senders.get(words['heard'], {'udp': [0, 0], 'tcp': [0, 0], 'icmp': [0, 0], 'packets': 0})


listen()
serve()
print(json.dumps('ready'), flush=True)
for line in sys.stdin: print(json.dumps(answer(json.loads(line))), flush=True)
