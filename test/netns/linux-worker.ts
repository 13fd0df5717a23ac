/**
 * A small data plane in a worker thread, as the daemon has one: a ring, a TAP taken up in another namespace,
 * an eventfd that ends it. It answers every packet with the same packet, addresses of the Ethernet header
 * exchanged, until it is signalled. Run from dist/: a worker thread needs JavaScript.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { IoUring } from '../../src/linux/io-uring.js';
import { MemoryAddress } from '../../src/linux/memory.js';
import { namespaceIdentity, withNamespace } from '../../src/linux/netns.js';
import { closeTap, openTap, VNET_HEADER_BYTES } from '../../src/linux/tun.js';

export interface EchoOptions {
  namespace: string;
  tap: string;
  stopFd: number;
  memory: WebAssembly.Memory;
}

const STOP = -1;
const WRITTEN = -2;
const MAC_BYTES = 6;

const { namespace, tap: name, stopFd, memory } = workerData as EchoOptions;
const bytes = new Uint8Array(memory.buffer);
const address = new MemoryAddress(memory.buffer);
const home = namespaceIdentity();
const tap = withNamespace(namespace, () => openTap({ name, mode: 'take-up' }));
const ring = new IoUring({ entries: 16, files: 2 });
ring.setFile(0, tap.fd);
ring.setFile(1, stopFd);
let echoed = 0;

function exchangeAddresses(at: number): void {
  for (let i = at; i < at + MAC_BYTES; i++) {
    const byte = bytes[i]!;
    bytes[i] = bytes[i + MAC_BYTES]!;
    bytes[i + MAC_BYTES] = byte;
  }
}

function readPacket(): void {
  ring.sq.read(0, address.low(0), address.high(0), 65_536, 0);
}

function handle(userData: number, result: number): boolean {
  if (userData === STOP) return false;
  if (userData === WRITTEN) {
    if (result > 0) echoed++;
    readPacket();
  } else {
    exchangeAddresses(VNET_HEADER_BYTES);
    ring.sq.write(0, address.low(0), address.high(0), result, WRITTEN);
  }
  return true;
}

function run(): void {
  readPacket();
  ring.sq.read(1, address.low(65_536), address.high(65_536), 8, STOP);
  for (let running = true; running; ) {
    ring.submit(1);
    const count = ring.cq.count();
    for (let i = 0; i < count; i++) running = handle(ring.cq.userData(i), ring.cq.result(i)) && running;
    ring.cq.advance(count);
  }
}

parentPort?.postMessage('ready');
run();
ring.close();
closeTap(tap);
parentPort?.postMessage({ echoed, cameHome: namespaceIdentity() === home });
