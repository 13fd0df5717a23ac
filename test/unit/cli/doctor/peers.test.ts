/** What the doctor makes of a peer, of this node's end of the tunnel, and of a firewall's rules. */
import { describe, expect, it } from 'vitest';
import { storeFinding } from '../../../../src/cli/doctor/cluster.js';
import { ok, warning } from '../../../../src/cli/doctor/finding.js';
import { aFewAtOnce, measurePeer } from '../../../../src/cli/doctor/peer-probe.js';
import { fold, judgePeer, type Peer } from '../../../../src/cli/doctor/peers.js';
import { inodesIn } from '../../../../src/cli/doctor/port-owner.js';
import { firewall, tunnelPort, underlayAddress } from '../../../../src/cli/doctor/underlay.js';

const UP = { state: 'up', rttMicros: 412 };
const DOWN = { state: 'down', rttMicros: null };
const WELL = { sent: 5, answered: 5, rttMicros: 210, mtu: 1500, kernelMtu: 1500 };
const SILENT = { sent: 2, answered: 0, rttMicros: undefined, mtu: undefined, kernelMtu: 1500 };

function peer(tunnel?: Peer['tunnel'], podMtu?: number): Peer {
  return { name: 'k2', address: '192.0.2.2', port: 4789, ...(tunnel ? { tunnel } : {}), podMtu };
}

describe('judgePeer', () => {
  it('has nothing to say where both sides answer', () => {
    expect(judgePeer(peer(UP, 1450), WELL)).toEqual({
      name: 'peer k2',
      state: 'ok',
      found: 'tunnel up, 412 µs; 192.0.2.2 answers ICMP in 210 µs, path MTU 1500',
    });
  });

  it('names the filtered port where the underlay answers and the tunnel does not', () => {
    const finding = judgePeer(peer(DOWN), WELL);
    expect(finding.state).toBe('warning');
    expect(finding.found).toBe('tunnel down; 192.0.2.2 answers ICMP in 210 µs, path MTU 1500');
    expect(finding.fix).toContain("underlay answers but the tunnel's probe does not");
    expect(finding.fix).toContain('UDP port 4789 is filtered on the way or at k2');
    expect(judgePeer({ ...peer({ state: 'unknown', rttMicros: null }), port: 8472 }, WELL).fix).toContain(
      '8472',
    );
  });

  it('asks whether the peer is up where nothing answers', () => {
    expect(judgePeer(peer(DOWN), SILENT)).toMatchObject({
      state: 'warning',
      found: 'tunnel down; 192.0.2.2 does not answer ICMP',
      fix: expect.stringMatching(/is k2 up.*ip route get 192\.0\.2\.2/),
    });
  });

  it('does not take a filtered ICMP for a dead peer', () => {
    const finding = judgePeer(peer(UP), SILENT);
    expect(finding.found).toContain('tunnel up');
    expect(finding.fix).toContain('let ICMP echo pass');
  });

  it('finds a black hole: less passes than the kernel believes', () => {
    const finding = judgePeer(peer(UP, 1450), { ...WELL, mtu: 1400 });
    expect(finding).toMatchObject({
      state: 'warning',
      fix: expect.stringContaining('packets over 1400 bytes vanish'),
    });
  });

  it('is content with a narrow path that ICMP tells of, once the daemon has followed', () => {
    const narrow = { ...WELL, mtu: 1400, kernelMtu: 1400 };
    expect(judgePeer(peer(UP, 1350), narrow).state).toBe('ok');
    expect(judgePeer(peer(UP, 1450), narrow)).toMatchObject({
      state: 'warning',
      fix: expect.stringMatching(/pods may send 1450 bytes and 1350 fit/),
    });
  });

  it('says how many packets the underlay lost', () => {
    const finding = judgePeer(peer(UP), { ...WELL, answered: 3 });
    expect(finding.found).toContain('2 of 5 lost');
    expect(finding.fix).toContain('loses packets');
  });

  it('knows of an address alone, without a daemon, only what ICMP says', () => {
    expect(judgePeer(peer(), WELL)).toEqual({
      name: 'peer k2',
      state: 'ok',
      found: '192.0.2.2 answers ICMP in 210 µs, path MTU 1500',
    });
    expect(judgePeer(peer(), SILENT).fix).toContain('ip route get');
    expect(judgePeer(peer(DOWN), undefined).fix).toContain('does UDP 4789 pass');
    expect(judgePeer(peer(UP), undefined).state).toBe('ok');
  });
});

describe('measurePeer', () => {
  const path = (mtu: number, lost: readonly number[] = []) => {
    let sent = 0;
    return {
      echo: async (_: string, size: number) =>
        size <= mtu && !lost.includes(++sent) ? 100 + sent : undefined,
    };
  };

  it('counts losses, takes the median and finds the size', async () => {
    expect(await measurePeer(path(1400, [2]), '192.0.2.2', () => 1500)).toEqual({
      ...{ sent: 5, answered: 4, mtu: 1400, kernelMtu: 1500 },
      rttMicros: 104,
    });
  });

  it('gives up after two without an answer', async () => {
    expect(await measurePeer(path(0), '192.0.2.2', () => 1500)).toEqual(SILENT);
  });
});

it('works on a few peers at once, and answers in their order', async () => {
  let running = 0;
  let most = 0;
  const results = await aFewAtOnce(
    Array.from({ length: 50 }, (_, index) => index),
    async (item) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, (item * 7) % 5));
      running--;
      return item * 2;
    },
  );
  expect(results).toEqual(Array.from({ length: 50 }, (_, index) => index * 2));
  expect(most).toBe(8);
});

it('folds what is fine of many peers into one line', () => {
  const few = [ok('peer a', ''), ok('peer b', '')];
  expect(fold(few)).toEqual(few);
  const bad = warning('peer z', 'x', 'y');
  expect(fold([...Array.from({ length: 30 }, () => ok('peer', '')), bad])).toEqual([
    ok('peers', '30 fine'),
    bad,
  ]);
});

describe("this node's end", () => {
  const addresses = [{ ifname: 'eth0', address: '192.0.2.1', mtu: 1500 }];
  const without = { address: '192.0.2.1', port: 4789 };
  const running = { ...without, daemonPid: 42 };

  it('is an address of an interface, with room for a tunnel', () => {
    expect(underlayAddress(without, addresses)).toEqual(
      ok('underlay', '192.0.2.1 on eth0, MTU 1500: 1450 for pods'),
    );
    expect(underlayAddress(without, []).state).toBe('failed');
    expect(underlayAddress(running, [])).toMatchObject({
      state: 'warning',
      fix: expect.stringContaining('namespace of the daemon'),
    });
    expect(underlayAddress(without, [{ ...addresses[0]!, mtu: 600 }]).fix).toContain('too narrow');
  });

  it.each([
    [without, { kind: 'nobody' }, 'ok', 'UDP 4789 is free'],
    [running, { kind: 'nobody' }, 'warning', 'UDP 4789 is free: the daemon does not have it'],
    [running, { kind: 'process', pid: 42, command: 'node' }, 'ok', "UDP 4789 is the daemon's"],
    [
      running,
      { kind: 'process', pid: 7, command: 'flanneld' },
      'failed',
      'UDP 4789 is taken by flanneld (process 7)',
    ],
    [
      without,
      { kind: 'device', ifname: 'vx0' },
      'failed',
      "UDP 4789 is taken by the kernel's vxlan device vx0",
    ],
    [without, { kind: 'unseen' }, 'failed', 'UDP 4789 is taken'],
    [running, { kind: 'unseen' }, 'ok', 'UDP 4789 is taken'],
  ] as const)('has the port or not: %j %j', (underlay, owner, state, found) => {
    expect(tunnelPort(underlay, owner)).toMatchObject({ state, found });
  });

  it('finds the inodes of a port in /proc/net/udp', () => {
    const text = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  431: 0A01A8C0:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 28147 2 000000004c0b8a1f 0
  432: 0A01A8C0:02B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 28148 2 000000004c0b8a1f 0
`;
    expect(inodesIn(text, 4789)).toEqual(['28147']);
    expect(inodesIn(text, 53)).toEqual([]);
  });
});

describe('firewall', () => {
  const nft = (policy: string, rule = '') => ({
    program: 'nft' as const,
    text: `table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy ${policy};\n\t\t${rule}\n\t}\n}`,
  });
  const iptables = (...lines: string[]) => ({ program: 'iptables' as const, text: lines.join('\n') });

  it('has nothing to say without rules', () => {
    expect(firewall(4789, [])).toBeUndefined();
  });

  it.each([
    [nft('accept'), 'ok'],
    [nft('drop'), 'warning'],
    [nft('drop', 'udp dport 4789 accept'), 'ok'],
    [nft('drop', 'udp dport { 53, 4789 } accept'), 'ok'],
    [nft('drop', 'udp dport 14789 accept'), 'warning'],
    [iptables('-P INPUT ACCEPT'), 'ok'],
    [iptables('-P INPUT DROP', '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT'), 'warning'],
    [iptables('-P INPUT DROP', '-A INPUT -p udp -m udp --dport 4789 -j ACCEPT'), 'ok'],
    [iptables('-P INPUT ACCEPT', '-A INPUT -j REJECT --reject-with icmp-port-unreachable'), 'warning'],
  ])('%j: %s', (rules, state) => {
    expect(firewall(4789, [rules])?.state).toBe(state);
  });

  it('says how to open it', () => {
    expect(firewall(8472, [iptables('-P INPUT DROP')])?.fix).toContain(
      'iptables -I INPUT -p udp --dport 8472 -j ACCEPT',
    );
  });
});

it('says what to do about a store that does not answer', () => {
  const since = '2030-01-01T00:00:00.000Z';
  expect(storeFinding({ kind: 'embedded', connected: true, since, reason: null }).state).toBe('ok');
  expect(storeFinding({ kind: 'etcd', connected: false, since, reason: 'refused' })).toMatchObject({
    state: 'failed',
    found: `etcd, not connected since ${since}: refused`,
    fix: expect.stringContaining('--store'),
  });
  expect(storeFinding({ kind: 'remote', connected: false, since, reason: null }).fix).toContain('--join');
});
