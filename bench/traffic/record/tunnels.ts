/** Captures of tunnels: what other hosts' switches see of them. */
import { client, type Recipe, type Step, server } from './recipe.js';
import { IPERF, iperf, V4, V6 } from './transports.js';

/** The kernel's own tunnel between client and server, and what goes through it. */
export function vxlan(family: 4 | 6): Recipe {
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
