/** This host's end of the tunnel: its address, its MTU, its UDP port, and a firewall in front of it. */
import { familyOf } from '../../control/cidr.js';
import { LEAST_INNER_MTU, TUNNEL_OVERHEAD } from '../../control/cluster/path-mtu.js';
import type { HostAddress } from '../../control/host/addresses.js';
import { type Finding, failed, ok, warning } from './finding.js';
import type { PortOwner } from './port-owner.js';

export interface Underlay {
  readonly address: string;
  /** UDP. */
  readonly port: number;
  /** Process of the daemon that uses it; undefined: none runs. */
  readonly daemonPid?: number | undefined;
}

/** @param addresses of this host. */
export function underlayAddress(
  { address, daemonPid }: Underlay,
  addresses: readonly HostAddress[],
): Finding {
  const name = 'underlay';
  const found = addresses.find((candidate) => candidate.address === address);
  if (found === undefined) {
    return daemonPid === undefined
      ? failed(
          name,
          `no interface here has ${address}`,
          'give --underlay an address of this host: ip address',
        )
      : warning(
          name,
          `no interface here has ${address}, which the daemon uses`,
          'run the doctor in the network namespace of the daemon',
        );
  }
  const family = familyOf(address);
  const inner = found.mtu - TUNNEL_OVERHEAD[family];
  const text = `${address} on ${found.ifname}, MTU ${found.mtu}: ${inner} for pods`;
  if (inner >= LEAST_INNER_MTU[family]) return ok(name, text);
  return warning(
    name,
    text,
    `too narrow for a tunnel: ip link set dev ${found.ifname} mtu 1500, or another --underlay`,
  );
}

export function tunnelPort({ port, daemonPid }: Underlay, owner: PortOwner): Finding {
  const name = 'tunnel port';
  const other = 'end it, or give every node of the cluster another --tunnel-port';
  switch (owner.kind) {
    case 'nobody':
      return daemonPid === undefined
        ? ok(name, `UDP ${port} is free`)
        : warning(name, `UDP ${port} is free: the daemon does not have it`, 'its log says why; restart it');
    case 'device':
      return failed(
        name,
        `UDP ${port} is taken by the kernel's vxlan device ${owner.ifname}`,
        `ip link del ${owner.ifname}, if nothing needs it, or give every node another --tunnel-port`,
      );
    case 'process':
      return owner.pid === daemonPid
        ? ok(name, `UDP ${port} is the daemon's`)
        : failed(name, `UDP ${port} is taken by ${owner.command} (process ${owner.pid})`, other);
    case 'unseen':
      return daemonPid === undefined
        ? failed(name, `UDP ${port} is taken`, other)
        : ok(name, `UDP ${port} is taken`);
  }
}

/** What a firewall's own program prints: `nft list ruleset`, `iptables -S INPUT`. */
export interface FirewallRules {
  readonly program: 'nft' | 'iptables' | 'ip6tables';
  readonly text: string;
}

/** A hint, no proof: rules can be written in many ways. Undefined where there is nothing to look at. */
export function firewall(port: number, rules: readonly FirewallRules[]): Finding | undefined {
  if (rules.length === 0) return undefined;
  const name = 'firewall';
  const closed = rules.filter((rule) => dropsByDefault(rule) && !mentions(rule, port));
  const programs = closed.map(({ program }) => program).join(', ');
  if (closed.length === 0) return ok(name, `nothing seen that drops UDP ${port} (${looked(rules)})`);
  return warning(
    name,
    `input is dropped by default, and no rule lets UDP ${port} in (${programs})`,
    `let it in, from the other nodes: ${closed.map((rule) => opening(rule, port)).join('; ')}`,
  );
}

function looked(rules: readonly FirewallRules[]): string {
  return rules.map(({ program }) => program).join(', ');
}

function dropsByDefault({ program, text }: FirewallRules): boolean {
  return program === 'nft'
    ? /hook input[^;]*;\s*policy drop/.test(text)
    : /^-P INPUT (DROP|REJECT)/m.test(text) || /^-A INPUT -j (DROP|REJECT)/m.test(text);
}

function mentions({ text }: FirewallRules, port: number): boolean {
  return new RegExp(`dports? [^\\n]*\\b${port}\\b`).test(text);
}

function opening({ program }: FirewallRules, port: number): string {
  return program === 'nft'
    ? `nft insert rule TABLE CHAIN udp dport ${port} accept`
    : `${program} -I INPUT -p udp --dport ${port} -j ACCEPT`;
}
