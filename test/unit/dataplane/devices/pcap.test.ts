import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { PcapDevice } from '../../../../src/dataplane/devices/pcap.js';
import { readCapture } from '../../../../src/dataplane/devices/pcap-capture.js';
import { PcapWriter } from '../../../../src/dataplane/devices/pcap-writer.js';
import { DROP } from '../../../../src/dataplane/drop-reasons.js';
import { Folder, LITTLE, ONE, THREE } from './pcap-files.js';
import { newContext, receiveFrames, sendFrames } from './support.js';

const folder = new Folder();
afterAll(() => folder.remove());

const FIRST = 1_700_000_000_000_001;
const SECOND = 1_700_000_001_999_999;

describe('PcapDevice', () => {
  it('hands packets over when their time has come', async () => {
    const context = newContext();
    const capture = await readCapture(folder.write('in.pcap', LITTLE));
    const device = new PcapDevice({ context, port: 3, capture });
    expect(device.nextTime).toBe(FIRST);
    device.until = FIRST - 1;
    expect(receiveFrames(device, context.pool)).toEqual([]);
    device.until = FIRST;
    expect(receiveFrames(device, context.pool)).toEqual([ONE]);
    expect([device.time, device.nextTime, device.waiting]).toEqual([FIRST, SECOND, 1]);
    device.until = SECOND;
    expect(receiveFrames(device, context.pool)).toEqual([THREE]);
    expect([device.time, device.nextTime, device.waiting]).toEqual([SECOND, Number.POSITIVE_INFINITY, 0]);
    device.replay(capture);
    expect(receiveFrames(device, context.pool)).toEqual([ONE, THREE]);
    expect(context.pool.free).toBe(64);
  });

  it('stamps what it sends with the time of what it received last, or the one that is set', async () => {
    const context = newContext();
    const capture = await readCapture(folder.write('in.pcap', LITTLE));
    const path = folder.file('out.pcap');
    const device = new PcapDevice({ context, port: 3, capture, writer: new PcapWriter(path) });
    for (device.until = FIRST; device.waiting > 0; device.until = SECOND) {
      sendFrames(device, context.pool, receiveFrames(device, context.pool));
    }
    device.time = 1_800_000_000_500_000;
    sendFrames(device, context.pool, [ONE]);
    device.close();
    const copied = LITTLE.replace('ffff0000', '00000400');
    expect(readFileSync(path).toString('hex')).toBe(`${copied}00d2496b20a107001100000011000000${ONE}`);
    expect(context.counters.port(3, 'txBytes')).toBe(17 + 19 + 17);
  });

  it('counts what it sends where there is no file for it', () => {
    const context = newContext();
    const device = new PcapDevice({ context, port: 3 });
    expect([device.waiting, device.nextTime]).toEqual([0, Number.POSITIVE_INFINITY]);
    sendFrames(device, context.pool, [ONE]);
    expect(context.counters.port(3, 'txPackets')).toBe(1);
    device.close();
  });

  const full = existsSync('/dev/full') ? '' : ' [skipped: needs /dev/full]';
  it.skipIf(full !== '')(
    `drops as device-error what the file does not take, and throws when it is closed${full}`,
    () => {
      const context = newContext();
      const device = new PcapDevice({ context, port: 3, writer: new PcapWriter('/dev/full') });
      const frame = 'ee'.repeat(60_000);
      for (let i = 0; i < 20; i++) sendFrames(device, context.pool, [frame]);
      expect(context.counters.port(3, 'txPackets')).toBe(17);
      expect(context.counters.portDrops(3, DROP['device-error'])).toBe(3);
      expect(context.pool.free).toBe(64);
      expect(() => device.close()).toThrow(expect.objectContaining({ code: 'PCAP_WRITE_FAILED' }));
    },
  );

  it('forgets its capture when it is closed', async () => {
    const context = newContext();
    const capture = await readCapture(folder.write('in.pcap', LITTLE));
    const device = new PcapDevice({ context, port: 3, capture });
    device.close();
    expect(receiveFrames(device, context.pool)).toEqual([]);
    device.replay(capture);
    expect(device.waiting).toBe(0);
  });
});
