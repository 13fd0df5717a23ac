import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LINK_TYPES } from '../../../../src/control/replay/captured-packet.js';
import { isChanged } from '../../../../src/control/replay/connections.js';
import { Replay, type ReplayOptions, type ReplayResult } from '../../../../src/control/replay/replay.js';
import type { PacketReport, ReplayState } from '../../../../src/control/replay/types.js';
import { parseDocuments } from '../../../../src/control/what-if/documents.js';
import { readState, withDocuments } from '../../../../src/control/what-if/state-document.js';
import { readAnyCapture } from '../../../../src/dataplane/devices/pcapng-capture.js';
import { pythonWithScapy } from '../../../support/scapy.js';

const python = pythonWithScapy();
if (python === undefined) console.log('skipped: captures to replay need scapy');
const folder = mkdtempSync(join(tmpdir(), 'podwire-replay-'));
afterAll(() => rmSync(folder, { recursive: true }));

const WRITER = join(import.meta.dirname, '..', '..', '..', 'support', 'captures.py');

function pod(name: string, node: string, ...ips: string[]) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: name } },
    spec: { nodeName: node },
    status: { phase: 'Running', podIPs: ips.map((ip) => ({ ip })) },
  };
}

const RUNNING = readState([
  pod('web', 'a', '10.244.0.2', 'fd00:10:244::2'),
  pod('cron', 'a', '10.244.0.4'),
  pod('db', 'b', '10.244.1.3', 'fd00:10:244:1::3'),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'db', namespace: 'shop' },
    spec: {
      clusterIP: '10.96.0.20',
      clusterIPs: ['10.96.0.20'],
      ipFamilies: ['IPv4'],
      selector: { app: 'db' },
      ports: [{ port: 5432 }],
    },
  },
]);

const POLICY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'db', namespace: 'shop' },
  spec: {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [
      {
        from: [{ podSelector: { matchLabels: { app: 'web' } } }],
        ports: [{ protocol: 'TCP', port: 5432 }],
      },
    ],
  },
};

function candidate(...documents: object[]): ReplayState {
  return withDocuments(RUNNING, parseDocuments(documents, 'documents'));
}

async function replay(name: string, options: Partial<ReplayOptions> = {}) {
  const path = join(folder, `${name}.pcap`);
  const run = new Replay(await readAnyCapture(path, LINK_TYPES), { running: RUNNING, ...options });
  return { run, result: run.run() };
}

/** `shop/web > shop/db tcp 5432: 8 of 8`, of those that passed. */
function shown(run: Replay, { connections }: ReplayResult, outcome: 'now' | 'after' = 'now'): string[] {
  return connections.map((connection) => {
    const { source, destination, protocol, destinationPort, packets } = connection;
    const { passed = 0, dropped } = connection[outcome]!;
    const ends = [source, destination].map((address) => run.nameOf(address) ?? address);
    const why = [...dropped].map(([reason, count]) => ` ${reason} ${count}`);
    return `${ends.join(' > ')} ${protocol}/${destinationPort} ${passed} of ${packets}${why.join()}`;
  });
}

const ALL_PASS = [
  'shop/web > shop/db 6/5432 8 of 8',
  'shop/cron > shop/db 6/5432 8 of 8',
  'shop/cron > 10.96.0.20 6/5432 8 of 8',
  '203.0.113.9 > shop/db 6/5432 8 of 8',
  'shop/web > shop/cron 17/53 2 of 2',
  'shop/web > shop/db 1/7 2 of 2',
  'shop/web > shop/db 6/5432 1 of 1',
  'shop/web > shop/db 6/5432 2 of 2',
];

describe.skipIf(python === undefined)('a replay', () => {
  beforeAll(() => {
    execFileSync(python!, [WRITER, folder]);
  }, 60_000);

  it.each(['ethernet', 'vlan', 'raw', 'sll', 'sll2'])(
    'passes what no policy selects, captured with %s headers, through a service too',
    async (link) => {
      const { run, result } = await replay(link);
      expect(shown(run, result)).toEqual(ALL_PASS);
      expect(result).toMatchObject({ packets: 39, cutShort: 0, passedOver: { group: 1, 'not-ip': 0 } });
    },
  );

  it('needs no more of a packet than its headers', async () => {
    const { run, result } = await replay('ethernet-74');
    expect(shown(run, result)).toEqual(ALL_PASS);
    expect(result.cutShort).toBe(0);
    const short = await replay('raw-42');
    expect(shown(short.run, short.result).slice(0, 6)).toEqual(ALL_PASS.slice(0, 6));
    expect(short.result.cutShort).toBeGreaterThan(5);
    expect(short.result.passedOver['cut-off']).toBe(1);
  });

  it('shows who would be refused in a candidate state, by which rule, and that answers would not be sent', async () => {
    const reports: PacketReport[] = [];
    const observer = { packet: (report: PacketReport) => void reports.push(report) };
    const { run, result } = await replay('sll2', { candidate: candidate(POLICY), observer });
    expect(shown(run, result)).toEqual(ALL_PASS);
    expect(result.connections.map(isChanged)).toEqual([false, true, true, true, false, true, false, false]);
    expect(shown(run, result, 'after')).toEqual([
      'shop/web > shop/db 6/5432 8 of 8',
      'shop/cron > shop/db 6/5432 0 of 8 policy-ingress 5',
      expect.stringMatching(/^shop\/cron > 10.96.0.20 6\/5432 0 of 8 policy-ingress 1/),
      '203.0.113.9 > shop/db 6/5432 0 of 8 policy-ingress 5',
      'shop/web > shop/cron 17/53 2 of 2',
      'shop/web > shop/db 1/7 0 of 2 policy-ingress 1',
      'shop/web > shop/db 6/5432 1 of 1',
      'shop/web > shop/db 6/5432 2 of 2',
    ]);
    const rule = {
      direction: 'ingress',
      tier: 'policy',
      action: 'deny',
      policies: [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'db' }],
    };
    expect(result.connections[2]?.after?.verdict).toEqual({
      fate: 'dropped',
      to: [],
      reason: 'policy-ingress',
      note: rule,
    });
    expect(reports[8]).toMatchObject({ number: 9, from: 'shop/cron', now: { to: ['shop/db'] } });
    expect(reports[9]?.after).toEqual({ fate: 'unsent', to: [] });
    const [allowed] = result.connections.map((connection) => run.judge(connection).after?.ingress);
    expect(allowed).toEqual({
      allowed: true,
      reason: 'policy',
      note: { ...rule, action: 'allow', path: 'spec.ingress[0]' },
    });
  });

  it('agrees with the judge about every connection', async () => {
    const deny = { ...POLICY, metadata: { ...POLICY.metadata, name: 'web' } };
    const spec = { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Egress'], egress: [] };
    for (const documents of [[POLICY], [{ ...deny, spec }], [POLICY, { ...deny, spec }]]) {
      const { run, result } = await replay('ethernet', { candidate: candidate(...documents) });
      for (const connection of result.connections.filter(({ destination }) => destination !== '10.96.0.20')) {
        const { egress, ingress } = run.judge(connection).after!;
        expect([connection, connection.after!.passed > 0]).toEqual([
          connection,
          egress.allowed && ingress.allowed,
        ]);
      }
    }
  });

  it('knows labels of the candidate', async () => {
    const relabelled = {
      ...pod('cron', 'a'),
      metadata: { name: 'cron', namespace: 'shop', labels: { app: 'web' } },
    };
    const running = candidate(POLICY);
    const [apply] = [parseDocuments([relabelled], 'documents')];
    const { result } = await replay('ethernet', { running, candidate: withDocuments(running, apply) });
    const changed = result.connections.filter(isChanged);
    expect(changed.map(({ now, after }) => [now.passed, after?.passed])).toEqual([
      [0, 8],
      [0, 8],
    ]);
  });

  it('lets every packet come from one pod, which may send under its own addresses only', async () => {
    const { result } = await replay('raw', { port: 'shop/web' });
    const passed = result.connections.map(({ now }) => now.passed > 0);
    expect(passed).toEqual([true, false, false, false, true, true, true, true]);
    expect(result.connections[1]?.now.verdict).toMatchObject({ fate: 'dropped', reason: 'spoofed-ipv4' });
    await expect(replay('raw', { port: 'shop/nobody' })).rejects.toThrow('no pod shop/nobody');
  });

  it('hands out what leaves, with addresses translated and checksums that are right', async () => {
    const frames: string[] = [];
    const taker = (memory: DataView, at: number, length: number): void => {
      frames.push(Buffer.from(memory.buffer, memory.byteOffset + at, length).toString('hex'));
    };
    await replay('sll', { taker });
    const script = `
import sys, logging
logging.disable(50)
from scapy.all import *
for line in sys.stdin:
    packet = Ether(bytes.fromhex(line.strip()))
    again = packet.copy()
    for layer in (IP, TCP, UDP):
        if again.haslayer(layer): del again[layer].chksum
    print(raw(Ether(raw(again))) == raw(packet), packet[1].src, packet[1].dst)`;
    const out = execFileSync(python!, ['-c', script], { input: frames.join('\n'), encoding: 'utf8' });
    const lines = out.trim().split('\n');
    expect(lines).toHaveLength(39);
    expect(lines.filter((line) => !line.startsWith('True'))).toEqual([]);
    expect(lines[16]).toBe('True 10.244.0.4 10.244.1.3');
    expect(lines[17]).toBe('True 10.96.0.20 10.244.0.4');
  });
});

describe('a state', () => {
  it('names the document and the field that is wrong', () => {
    expect(() => readState([pod('web', 'a', '10.244.0.2'), { ...POLICY, spec: { podSelector: 1 } }])).toThrow(
      /^document 2: spec\.podSelector/,
    );
    expect(() => readState([pod('web', 'a', '10.244.0.300')])).toThrow(/^document 1: status/);
  });
});
