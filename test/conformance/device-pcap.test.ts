/** The device over capture files: what it receives is read from one, what it sends is read back from another. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Counters } from '../../src/dataplane/counters.js';
import type { DeviceContext } from '../../src/dataplane/device.js';
import { PcapDevice } from '../../src/dataplane/devices/pcap.js';
import { type Capture, readCapture } from '../../src/dataplane/devices/pcap-capture.js';
import { PcapWriter } from '../../src/dataplane/devices/pcap-writer.js';
import { PacketPool } from '../../src/dataplane/pool.js';
import { deviceConformance } from './device.js';
import type { DeviceHarness, HarnessFrame } from './device-harness.js';

class PcapHarness implements DeviceHarness {
  readonly context: DeviceContext = { pool: new PacketPool(600), counters: new Counters() };
  readonly device: PcapDevice;
  private readonly folder = mkdtempSync(join(tmpdir(), 'podwire-pcap-'));
  private readonly writer = new PcapWriter(join(this.folder, 'out.pcap'));
  private capture: Capture | undefined;
  private read = 0;

  constructor() {
    this.device = new PcapDevice({ context: this.context, port: 7, writer: this.writer });
  }

  async inject(frames: readonly HarnessFrame[]): Promise<void> {
    const writer = new PcapWriter(join(this.folder, 'in.pcap'));
    for (const { bytes } of frames) {
      writer.append(new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length, 1e15);
    }
    writer.close();
    this.capture = await readCapture(writer.path);
    this.device.replay(this.capture);
  }

  async sent(): Promise<HarnessFrame[]> {
    this.writer.flush();
    const { at, length, count, view } = await readCapture(this.writer.path);
    const frames: HarnessFrame[] = [];
    for (; this.read < count; this.read++) {
      const start = view.byteOffset + at[this.read];
      frames.push({ bytes: new Uint8Array(view.buffer.slice(start, start + length[this.read])) });
    }
    return frames;
  }

  settle(): void {}

  turn(): void {
    this.device.replay(this.capture!);
  }

  close(): void {
    this.device.close();
    rmSync(this.folder, { recursive: true });
  }
}

deviceConformance('capture files', () => new PcapHarness(), {
  offloads: 'the format has no room for offload facts',
  fail: 'a full disk shows only when the buffer is written out',
});
