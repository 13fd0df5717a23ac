/**
 * A virtual machine's TAP: its monitor has the descriptor, podwire a packet socket on the interface, as a guarded port.
 *
 *     pod a: eth0 10.98.0.1 ── data plane ── packet socket ── host: vm0 ══ TAP fd ── test/support/vmm.py 10.98.0.50
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { isBuilt } from '../support/netns-dataplane.js';
import { runIn } from '../support/netns-programs.js';
import { RawBench } from '../support/netns-raw.js';
import { pythonWithScapy } from '../support/scapy.js';
import { missingForDaemon, until } from './daemon-support.js';

const python = pythonWithScapy();
const missing =
  missingForDaemon() ?? (python === undefined ? 'scapy' : isBuilt ? undefined : 'npm run build');
if (missing) console.log(`skipped: the TAP of a virtual machine needs ${missing}`);

const drivers = probeIoUring().available ? (['uring', 'poll'] as const) : (['poll'] as const);
const MONITOR = fileURLToPath(new URL('../support/vmm.py', import.meta.url));
const GUEST = { mac: '02:00:00:00:98:32', ip: '10.98.0.50' };
const PORT = 5;

describe.skipIf(missing).each(drivers)("a virtual machine's TAP with --io %s", (io) => {
  let bench: RawBench;
  let monitor: ChildProcessWithoutNullStreams | undefined;

  beforeEach(() => {
    bench = new RawBench();
  });
  afterEach(async () => {
    monitor?.kill('SIGKILL');
    await bench.cleanup();
  });

  function makeTap(): void {
    const host = bench.namespace('host');
    bench.run('-n', host, 'tuntap', 'add', 'vm0', 'mode', 'tap', 'vnet_hdr');
    // The host has nothing to say to the guest.
    bench.run('-n', host, 'link', 'set', 'vm0', 'addrgenmode', 'none', 'arp', 'off', 'up');
  }

  async function startMonitor(mac: string): Promise<Interface> {
    const words = [`--net=/run/netns/${bench.name('host')}`, python!, MONITOR, 'vm0', mac, GUEST.ip];
    monitor = spawn('nsenter', words);
    const lines = createInterface({ input: monitor.stdout });
    expect(await once(lines, 'line')).toEqual(['ready']);
    return lines;
  }

  async function ping(lines: Interface, address: string): Promise<string> {
    const answer = once(lines, 'line');
    monitor!.stdin.write(`${address}\n`);
    return ((await answer) as string[])[0];
  }

  it('is a pod like any other', async () => {
    await bench.start({ io });
    makeTap();
    await bench.pod('a', 1);
    await bench.raw(PORT, 'host', 'vm0', { guest: GUEST });
    const lines = await startMonitor(GUEST.mac);
    expect(await ping(lines, '10.98.0.1')).toBe('10.98.0.1');
    const answered = async () =>
      (await runIn(bench.name('a'), 'ping', '-c', '1', '-W', '1', '-s', '1400', GUEST.ip)).status === 0;
    expect(await until(answered)).toBe(true);
  });

  it('is guarded', async () => {
    await bench.start({ io });
    makeTap();
    await bench.pod('a', 1);
    await bench.raw(PORT, 'host', 'vm0', { guest: GUEST });
    await startMonitor('02:00:00:00:98:99');
    monitor!.stdin.write('10.98.0.1\n');
    expect(await until(() => bench.drops(PORT, 'spoofed-mac') > 0)).toBe(true);
  });
});
