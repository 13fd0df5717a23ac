/**
 * Every packet of fixtures/captures through the switch: a bridge with the client at one port and the rest of its
 * network at the other, so each must come out at the other port as it went in. The judge of what is in the files is
 * capinfos and the README, which tshark wrote.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CAPTURES, captureNames, readCapture } from '../../bench/traffic/captures.js';
import { RECIPES, TAGGINGS } from '../../bench/traffic/record/recipes.js';
import { frameOf, type Traffic } from '../../bench/traffic/traffic.js';
import { EngineHarness } from '../support/engine-harness.js';
import { missingPrograms } from '../support/netns-programs.js';
import { networks } from '../support/snapshots.js';

const names = captureNames();
const NEAR = 0;
const FAR = 1;

/** Two ports that take packets of any length. Nothing is learned: the switch would answer ARP for whom it has seen. */
function bridge(): EngineHarness {
  return new EngineHarness(networks({ ports: [2], guard: false, learning: false, mtu: 65_535 }));
}

/** The sender of the first packet is near; whoever has another MAC address is far. */
function portsOf(traffic: Traffic): number[] {
  const senders = Array.from({ length: traffic.count }, (_, i) =>
    Buffer.from(frameOf(traffic, i).subarray(6, 12)).toString('hex'),
  );
  return senders.map((sender) => (sender === senders[0] ? NEAR : FAR));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Packets one at a time, so that their order is the file's. Answers those that did not come out as they went in. */
function changed(harness: EngineHarness, traffic: Traffic): number[] {
  return portsOf(traffic).flatMap((port, index) => {
    const frame = frameOf(traffic, index);
    harness.inject(port, frame);
    harness.run();
    const [far, near] = [harness.take(NEAR + FAR - port), harness.take(port)];
    const isSame = near.length === 0 && far.length === 1 && hex(far[0].bytes) === hex(frame);
    return isSame ? [] : [index + 1];
  });
}

describe('captures of real traffic', () => {
  it('are those that are made by recipes', () => {
    expect(names).toEqual([...RECIPES, ...TAGGINGS].map(({ name }) => name).sort());
  });

  it('are as long as the README says', async () => {
    const readme = readFileSync(join(CAPTURES, 'README.md'), 'utf8');
    const said = [...readme.matchAll(/^\| `([\w-]+)` \|.*?\| (\d+) \| \d+ \|/gm)];
    const read = await Promise.all(
      names.map(async (name) => [name, String((await readCapture(name)).count)]),
    );
    expect(Object.fromEntries(said.map(([, name, count]) => [name, count]))).toEqual(
      Object.fromEntries(read),
    );
  });

  const missing = missingPrograms('capinfos');
  const reason = missing === undefined ? '' : ` [skipped: needs ${missing}]`;
  it.skipIf(missing !== undefined)(`are read as capinfos reads them${reason}`, async () => {
    const paths = names.map((name) => join(CAPTURES, `${name}.pcap`));
    // Packets and their octets, in a table without head.
    const table = execFileSync('capinfos', ['-M', '-T', '-r', '-c', '-d', ...paths], { encoding: 'utf8' });
    const traffics = await Promise.all(names.map(readCapture));
    const read = traffics.map(({ count, lengths }, i) => {
      return [paths[i], count, lengths.reduce((sum, length) => sum + length, 0)].join('\t');
    });
    expect(table.trim().split('\n')).toEqual(read);
  });

  it.each(names)('%s goes through the switch unchanged', async (name) => {
    const traffic = await readCapture(name);
    const harness = bridge();
    expect(changed(harness, traffic)).toEqual([]);
    expect(harness.allDrops()).toEqual({});
    expect(harness.totals().received).toBe(traffic.count);
    harness.expectAtRest();
  });

  it('would show a packet that is cut off', async () => {
    const traffic = await readCapture('http');
    const cut = {
      ...traffic,
      lengths: traffic.lengths.map((length, index) => (index === 9 ? length - 1 : length)),
    };
    const harness = bridge();
    expect(changed(harness, cut)).toEqual([10]);
    expect(harness.allDrops()).toHaveProperty('malformed-ipv4', 1);
  });
});
