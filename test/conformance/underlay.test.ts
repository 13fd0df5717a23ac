/** The devices of the underlay in memory, over IPv4 and IPv6, before the suite of datagram devices. */
import { Batch } from '../../src/dataplane/batch.js';
import { Counters } from '../../src/dataplane/counters.js';
import type { Device, DeviceContext } from '../../src/dataplane/device.js';
import { FaultDevice } from '../../src/dataplane/devices/fault.js';
import { addressWords } from '../../src/dataplane/devices/remote.js';
import { type PacketObserver, TraceDevice } from '../../src/dataplane/devices/trace.js';
import { Underlay } from '../../src/dataplane/devices/underlay.js';
import type { UnderlayDevice } from '../../src/dataplane/devices/underlay-device.js';
import { PacketPool } from '../../src/dataplane/pool.js';
import { type DatagramHarness, datagramConformance } from './datagrams.js';

const SLOTS = 600;
const PATH_MTU = 1500;

function newContext(): DeviceContext {
  return { pool: new PacketPool(SLOTS), counters: new Counters() };
}

/** A device on an underlay, with another device as the other end. */
class UnderlayHarness implements DatagramHarness {
  readonly context = newContext();
  readonly device: Device;
  readonly pathMtu = PATH_MTU;
  readonly refused: string[] = [];
  readonly remotePort = 4790;
  private readonly underlay: Underlay;
  private readonly peerContext = newContext();
  private readonly peer: UnderlayDevice;
  private readonly batch = new Batch(SLOTS);

  constructor(
    private readonly address: string,
    readonly remote: string,
    readonly otherFamily: string,
    decorate: (device: Device, context: DeviceContext) => Device = (device) => device,
  ) {
    // Between addresses of different families there is no way.
    this.underlay = new Underlay({
      mtu: (_from, to) => (to === otherFamily ? 0 : PATH_MTU),
      coalesces: false,
    });
    const { context, underlay } = this;
    const onTooBig = (to: string): number => this.refused.push(to);
    this.device = decorate(underlay.attach({ context, port: 5, address, onTooBig }), context);
    this.peer = underlay.attach({
      context: this.peerContext,
      port: 6,
      address: remote,
      udpPort: this.remotePort,
      sources: 1,
      firstSource: this.remotePort,
    });
  }

  inject(datagrams: readonly Uint8Array[]): void {
    const { pool } = this.peerContext;
    for (const bytes of datagrams) {
      const slot = pool.take();
      pool.reset(slot, bytes.length, 6);
      pool.bytes.set(bytes, pool.at[slot]);
      pool.remote.set(addressWords(this.address), slot * 4);
      pool.remotePort[slot] = 4789;
      this.batch.push(slot);
      this.peer.send(this.batch);
    }
  }

  sent(): { bytes: Uint8Array; port: number }[] {
    const { batch } = this;
    const { pool } = this.peerContext;
    const datagrams: { bytes: Uint8Array; port: number }[] = [];
    while (this.peer.receive(batch) > 0) {
      for (const slot of batch.slots.subarray(0, batch.count)) {
        const bytes = pool.bytes.slice(pool.at[slot], pool.at[slot] + pool.length[slot]);
        datagrams.push({ bytes, port: pool.remotePort[slot] });
        pool.release(slot);
      }
      batch.clear();
    }
    return datagrams;
  }

  settle(): void {
    this.underlay.deliver(this.underlay.now);
  }

  close(): void {
    this.device.close();
    this.peer.close();
  }
}

const exceptions = { turn: 'it copies each message' };
const IPV4 = ['10.0.0.1', '10.0.0.2', 'fd00::2'] as const;
const IPV6 = ['fd00::1', 'fd00::2', '10.0.0.2'] as const;
const observer: PacketObserver = { packet: () => undefined };

datagramConformance('underlay in memory, IPv4', () => new UnderlayHarness(...IPV4), exceptions);
datagramConformance('underlay in memory, IPv6', () => new UnderlayHarness(...IPV6), exceptions);
datagramConformance(
  'trace over an underlay',
  () => new UnderlayHarness(...IPV6, (device) => new TraceDevice(device, observer)),
  exceptions,
);
datagramConformance(
  'fault without faults over an underlay',
  () => {
    const clock = { now: 0 };
    return new UnderlayHarness(
      ...IPV4,
      (device, context) => new FaultDevice(device, { context, clock, seed: 1 }),
    );
  },
  exceptions,
);
