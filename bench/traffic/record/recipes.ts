/** Every capture of fixtures/captures: what runs, and what must be seen of it. */
import { client, type Recipe, router, type Server, type Step, server, type Tagging } from './recipe.js';
import { IPERF, iperf, TCP, UDP, V4, V6 } from './transports.js';
import { vxlan } from './tunnels.js';

const HTTP: Server = { ...server('python3 -u -m http.server --bind :: 8000'), ready: 'Serving HTTP' };
const DNS: Server = {
  ...server(
    'dnsmasq --no-daemon --user=root --conf-file=/dev/null --no-resolv --no-hosts --local=/example/ ' +
      '--host-record=web.example,10.9.2.80,fd09:2::80 --txt-record=text.example,some,words',
  ),
  ready: 'started',
};

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
