/**
 * podwire's table of nftables, as text. Pure. What the host's kernel is asked to do, and why in this way, is
 * docs/decisions/0041-host-rules.md.
 *
 *   prerouting  raw    from podwire0 to or from 127.0.0.0/8: dropped, since podwire0 routes such addresses for `output`'s sake
 *   prerouting  dnat   to an address and port of a service, or a node port of an address of the host: to the frontends' addresses,
 *                      which are routed to podwire0. The client's address is kept
 *   output      dnat   the same for the host's own processes
 *   forward     filter from podwire0 to podwire0: dropped, or pods of two networks would reach one another this way
 *   postrouting srcnat out to podwire0 from 127.0.0.0/8, and from pods to the outside: masqueraded
 *
 * Our chains come five before those of others at the same hook, so that their rules see addresses as podwire leaves them.
 */
import { familyOf } from '../cidr.js';
import { type Elements, noElements } from './nft-elements.js';
import { NODE_IFNAME } from './node-interface.js';

export interface WantedRules {
  /** At most one address of each family, as in the other lists without prefix length. */
  readonly nodeFrontends: readonly string[];
  /** Prefixes of pods that leave under the node's address. */
  readonly masqueraded: readonly string[];
  /** Prefixes that they reach under their own. */
  readonly direct: readonly string[];
}

export const NO_RULES: WantedRules = { nodeFrontends: [], masqueraded: [], direct: [] };

const IPV4 = { family: 4, ip: 'ip', proto: 'ipv4', type: 'ipv4_addr', but: '' } as const;
/** Answers to ::1 do not come in from another interface: what is sent there is refused by the host, not lost. */
const IPV6 = { family: 6, ip: 'ip6', proto: 'ipv6', type: 'ipv6_addr', but: ' ip6 daddr != ::1' } as const;
const FAMILIES = [IPV4, IPV6] as const;
type FamilyNames = (typeof FAMILIES)[number];

const LOOPBACK = '127.0.0.0/8';

/** One transaction: the kernel goes from the table that there is, or none, to this one, and nothing passes in between. */
export function renderRules(wanted: WantedRules, elements: Elements = noElements()): string {
  return [
    'table inet podwire',
    'delete table inet podwire',
    'table inet podwire {',
    ...[...FAMILIES.flatMap((names) => sets(names, wanted, elements)), ...chains(wanted)].map(indent),
    '}',
    '',
  ].join('\n');
}

export const REMOVE_RULES = 'table inet podwire\ndelete table inet podwire\n';

function indent(line: string): string {
  return `  ${line}`;
}

function sets(names: FamilyNames, { masqueraded, direct }: WantedRules, elements: Elements): string[] {
  const { family, type } = names;
  const own = (cidrs: readonly string[]) => cidrs.filter((cidr) => familyOf(cidr) === family);
  const port = 'inet_proto . inet_service';
  const ports = elements[`node_ports${family}`];
  const addresses = elements[`addresses${family}`];
  const prefixes = `type ${type}; flags interval; auto-merge;`;
  return [
    set('set', ports.name, `type ${port};`, ports.takeAll()),
    set('map', addresses.name, `type ${type} . ${port} : ${type} . inet_service;`, addresses.takeAll()),
    set('set', `masqueraded${family}`, prefixes, own(masqueraded)),
    set('set', `direct${family}`, prefixes, own(direct)),
  ];
}

function set(kind: 'set' | 'map', name: string, type: string, elements: readonly string[]): string {
  const listed = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`;
  return `${kind} ${name} { ${type}${listed} }`;
}

function chains({ nodeFrontends }: WantedRules): string[] {
  return [
    ...chain('guard', 'type filter hook prerouting priority -305; policy accept;', [
      `iifname "${NODE_IFNAME}" ip daddr ${LOOPBACK} drop`,
      `iifname "${NODE_IFNAME}" ip saddr ${LOOPBACK} drop`,
    ]),
    // What comes from pods the switch has looked up among the services already.
    ...chain('arriving', 'type nat hook prerouting priority -105; policy accept;', [
      `iifname != "${NODE_IFNAME}" jump services`,
    ]),
    ...chain('own', 'type nat hook output priority -105; policy accept;', ['jump services']),
    ...chain('between', 'type filter hook forward priority -5; policy accept;', [
      `iifname "${NODE_IFNAME}" oifname "${NODE_IFNAME}" drop`,
    ]),
    ...chain('leaving', 'type nat hook postrouting priority 95; policy accept;', [
      `oifname "${NODE_IFNAME}" ip saddr ${LOOPBACK} masquerade`,
      `oifname "${NODE_IFNAME}" accept`,
      ...FAMILIES.map(masquerade),
    ]),
    ...chain(
      'services',
      undefined,
      FAMILIES.flatMap((names) => translations(names, nodeFrontends)),
    ),
  ];
}

/** In nftables' words; without a hook it is one that others jump to. */
function chain(name: string, hook: string | undefined, rules: readonly string[]): string[] {
  return [`chain ${name} {`, ...[...(hook === undefined ? [] : [hook]), ...rules].map(indent), '}'];
}

function masquerade({ ip, family }: FamilyNames): string {
  return `${ip} saddr @masqueraded${family} ${ip} daddr != @direct${family} masquerade`;
}

function translations({ ip, proto, family, but }: FamilyNames, nodeFrontends: readonly string[]): string[] {
  const node = nodeFrontends.find((address) => familyOf(address) === family);
  const key = `${ip} daddr . meta l4proto . th dport`;
  const transport = `meta nfproto ${proto} meta l4proto { tcp, udp, sctp }`;
  return [
    `${transport} dnat ${ip} to ${key} map @addresses${family}`,
    ...(node === undefined
      ? []
      : [
          `${transport} meta l4proto . th dport @node_ports${family} fib daddr type local${but} dnat ${ip} to ${node}`,
        ]),
  ];
}
