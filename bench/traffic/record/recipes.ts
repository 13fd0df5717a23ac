/** Every capture of fixtures/captures: what runs, and what must be seen of it. */
import { client, type Recipe, router, type Server, type Step, server, type Tagging } from './recipe.js';

const V4 = '10.9.2.2';
const V6 = 'fd09:2::2';

/** Serves one test, then ends. */
const IPERF: Server = { ...server('iperf3 -s -1 --forceflush'), ready: 'listening' };
const HTTP: Server = { ...server('python3 -u -m http.server --bind :: 8000'), ready: 'Serving HTTP' };
const DNS: Server = {
  ...server(
    'dnsmasq --no-daemon --user=root --conf-file=/dev/null --no-resolv --no-hosts --local=/example/ ' +
      '--host-record=web.example,10.9.2.80,fd09:2::80 --txt-record=text.example,some,words',
  ),
  ready: 'started',
};

/** The payload repeats a pattern, so that captures compress well. */
function iperf(address: string, options: string): Step {
  return client(`iperf3 -c ${address} ${options} --repeating-payload`);
}

const TCP: readonly Recipe[] = [
  {
    name: 'tcp-v4',
    about: 'a TCP stream with timestamps, from its handshake to its end, and the connection that controls it',
    captureAt: 'client',
    servers: [IPERF],
    steps: [iperf(V4, '-n 96K -l 16K')],
    most: 300,
    shows: ['tcp.flags.syn==1', 'tcp.flags.fin==1', 'tcp.options.timestamp.tsval && frame.len==1514'],
  },
  {
    name: 'tcp-v6',
    about: 'the same over IPv6',
    captureAt: 'client',
    servers: [IPERF],
    steps: [iperf(V6, '-n 96K -l 16K')],
    most: 300,
    shows: ['ipv6 && tcp.flags.syn==1', 'ipv6 && tcp && frame.len==1514'],
  },
  ...([4, 6] as const).map(
    (family): Recipe => ({
      name: `tcp-no-timestamps-v${family}`,
      about: 'TCP without options after the handshake: the headers of TCP mixes are from here',
      captureAt: 'client',
      setup: [client('sysctl -qw net.ipv4.tcp_timestamps=0')],
      servers: [IPERF],
      steps: [iperf(family === 4 ? V4 : V6, '-n 32K -l 8K')],
      most: 150,
      shows: ['tcp.hdr_len==20 && tcp.dstport==5201 && frame.len==1514'],
    }),
  ),
  ...([4, 6] as const).map(
    (family): Recipe => ({
      name: `tcp-offloads-v${family}`,
      about:
        'TCP with TSO and GRO: packets of up to 64 KiB. Their checksums are unfinished, since the device was to ' +
        'do it: only the sum of the pseudo header is there',
      captureAt: 'client',
      offloads: true,
      servers: [IPERF],
      steps: [iperf(family === 4 ? V4 : V6, '-n 384K')],
      most: 80,
      shows: ['tcp.len > 60000'],
    }),
  ),
  {
    name: 'tcp-loss',
    about:
      'a queue too short for the stream (tbf): lost segments, duplicate acknowledgements with SACK, repeats',
    captureAt: 'client',
    setup: [router('tc qdisc add dev eth2 root tbf rate 20mbit burst 4kb limit 16kb')],
    servers: [IPERF],
    steps: [iperf(V4, '-n 192K')],
    most: 350,
    shows: ['tcp.options.sack_le', 'tcp.analysis.retransmission', 'tcp.analysis.duplicate_ack'],
  },
];

const UDP: readonly Recipe[] = [
  ...([4, 6] as const).map(
    (family): Recipe => ({
      name: `udp-v${family}`,
      about:
        'UDP datagrams of 1252 octets, as large as those of QUIC: the headers of UDP mixes are from here',
      captureAt: 'client',
      servers: [IPERF],
      steps: [iperf(family === 4 ? V4 : V6, '-u -l 1252 -b 50M -n 120K')],
      most: 150,
      shows: [`udp.length==1260 && ip${family === 4 ? '' : 'v6'}`],
    }),
  ),
  ...([4, 6] as const).map(
    (family): Recipe => ({
      name: `fragments-v${family}`,
      about: 'UDP datagrams of 4000 octets, and echoes of 3000, in fragments',
      captureAt: 'server',
      servers: [IPERF],
      steps: [
        iperf(family === 4 ? V4 : V6, '-u -l 4000 -b 50M -n 80K'),
        client(`ping -c 2 -i 0.2 -s 3000 ${family === 4 ? V4 : V6}`),
      ],
      most: 150,
      shows:
        family === 4
          ? ['ip.flags.mf==1', 'ip.frag_offset>0']
          : ['ipv6.fraghdr.more==1', 'ipv6.fraghdr.offset>0'],
    }),
  ),
];

const APPLICATIONS: readonly Recipe[] = [
  {
    name: 'http',
    about: 'a file of 11 KB fetched over IPv4 and over IPv6, and one that is not there',
    captureAt: 'server',
    servers: [HTTP],
    steps: [
      client(`curl -sS -o /dev/null http://${V4}:8000/LICENSE`),
      client(`curl -sS -o /dev/null http://[${V6}]:8000/LICENSE`),
      client(`curl -sS -o /dev/null http://${V4}:8000/nothing`),
    ],
    most: 150,
    shows: ['http.request', 'http.response.code==200', 'http.response.code==404'],
  },
  {
    name: 'dns',
    about: 'names that there are and are not, over UDP and TCP, IPv4 and IPv6',
    captureAt: 'server',
    servers: [DNS],
    steps: [
      client(`dig @${V4} web.example A`),
      client(`dig @${V6} web.example AAAA`),
      client(`dig @${V4} text.example TXT +tcp`),
      client(`dig @${V6} nobody.example A +noedns`),
    ],
    most: 60,
    shows: ['dns.a==10.9.2.80', 'dns.aaaa==fd09:2::80', 'dns.txt && tcp', 'dns.flags.rcode==3'],
  },
  {
    name: 'ping',
    about: 'echoes over IPv4 and IPv6, with the ARP and neighbour discovery before them',
    captureAt: 'client',
    steps: [
      client(`ping -c 5 -i 0.2 ${V4}`),
      client(`ping -c 5 -i 0.2 ${V6}`),
      client(`ping -c 1 -s 0 ${V4}`),
    ],
    most: 60,
    shows: ['arp.opcode==2', 'icmp.type==0', 'icmpv6.type==129', 'icmpv6.type==136'],
  },
  {
    name: 'icmp-errors',
    about:
      'a path with MTU 1300, a hop limit that ends, a closed port, a host that is not there; and TCP that learns the MTU',
    captureAt: 'client',
    setup: [router('ip link set eth2 mtu 1300')],
    servers: [IPERF],
    steps: [
      ...[V4, V6].flatMap((address): Step[] => [
        { ...client(`ping -c 1 -M do -s 1400 ${address}`), fails: true },
        { ...client(`ping -c 1 -t 1 -W 1 ${address}`), fails: true },
        { ...client(`dig @${address} web.example +tries=1 +timeout=1`), fails: true },
        { ...client(`ping -c 1 -W 4 ${address.replace(/2$/, '99')}`), fails: true },
      ]),
      iperf(V4, '-n 16K -l 4K'),
    ],
    most: 100,
    shows: [
      ...[
        'icmp.type==3 && icmp.code==4',
        'icmp.type==11',
        'icmp.type==3 && icmp.code==3',
        'icmp.type==3 && icmp.code==1',
      ],
      ...[
        'icmpv6.type==2',
        'icmpv6.type==3',
        'icmpv6.type==1 && icmpv6.code==4',
        'icmpv6.type==1 && icmpv6.code==3',
      ],
    ],
  },
];

/** The kernel's own tunnel between client and server, and what goes through it. */
function vxlan(family: 4 | 6): Recipe {
  const [near, far] = family === 4 ? ['10.9.1.2', V4] : ['fd09:1::2', V6];
  const device = (local: string, remote: string): string =>
    `ip link add vx0 type vxlan id 77 dstport 4789 local ${local} remote ${remote}`;
  const configure = (at: (command: string) => Step, host: number): Step[] => [
    at(`ip link set vx0 mtu 1430 address 02:00:00:09:4d:0${host}`),
    at('ethtool -K vx0 tx off sg off tso off gso off gro off'),
    at(`ip addr add 10.77.0.${host}/24 dev vx0`),
    at('ip link set vx0 up'),
  ];
  return {
    name: `vxlan-v${family}`,
    about: `the kernel's VXLAN device over IPv${family}: ARP, echoes and TCP within it`,
    captureAt: 'client',
    setup: [
      client(device(near, far)),
      ...configure(client, 1),
      server(device(far, near)),
      ...configure(server, 2),
    ],
    servers: [IPERF],
    steps: [client('ping -c 3 -i 0.2 10.77.0.2'), iperf('10.77.0.2', '-n 64K -l 16K')],
    most: 200,
    shows: ['vxlan.vni==77 && arp', 'vxlan && icmp', 'vxlan && tcp.len==1378'],
  };
}

export const RECIPES: readonly Recipe[] = [...TCP, ...UDP, ...APPLICATIONS, vxlan(4), vxlan(6)];

export const TAGGINGS: readonly Tagging[] = [
  {
    name: 'vlan',
    about: '`http`, with a VLAN tag (802.1Q) in each frame',
    from: 'http',
    tags: ['0x8100:12:3'],
    shows: ['vlan.id==12 && http.request'],
  },
  {
    name: 'vlan-double',
    about: '`ping`, with a service tag (802.1ad) before the VLAN tag',
    from: 'ping',
    tags: ['0x88a8:200:0', '0x8100:12:0'],
    shows: ['ieee8021ad.id==200 && vlan.id==12 && icmp', 'vlan.id==12 && arp'],
  },
];
