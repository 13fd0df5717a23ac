/**
 * Prints what the flow table costs, in ns and octets, alone and shared, for few and for many flows. Not a test: nothing is judged.
 *
 *     node dist/test/unit/dataplane/flows/flow-cost.js [ENGINES]
 *
 * The best of several runs, over flows in random order, all of one engine.
 */
import { FlowKey } from '../../../../src/dataplane/flows/flow-key.js';
import { makeFlowMemory } from '../../../../src/dataplane/flows/flow-memory.js';
import { FlowTable } from '../../../../src/dataplane/flows/flow-table.js';
import { tuneCompiler } from '../../../../src/dataplane/worker/compiler.js';
import { FLAG } from '../../../../src/wire/tcp.js';
import { random } from '../tables/random.js';

tuneCompiler();

const TCP = 6;
const SERVER = 0x0a090909;
const PORTS = 0x9c400050;
const QUERIES = 1 << 16;
const RUNS = 15;
const engines = Number(process.argv[2] ?? 1);
const next = random(3);

function best(count: number, run: () => void): string {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    run();
    least = Math.min(least, performance.now() - start);
  }
  return `${((least * 1e6) / count).toFixed(1)} ns`;
}

let sum = 0;

function measure(flows: number): void {
  const before = process.memoryUsage().rss;
  const memory = makeFlowMemory(Math.max(flows, 1024) * engines, engines, 5);
  const table = new FlowTable({ memory, ports: 4096, quota: memory.capacity / engines });
  const original = new FlowKey(table.hash);
  const reply = new FlowKey(table.hash);
  const start = performance.now();
  for (let n = 0; n < flows; n++) {
    original.setIpv4(1, TCP, 0x0a000000 + n, SERVER, PORTS);
    reply.mirror(original, 1);
    const handle = table.open(original, reply, n & 63, FLAG.SYN, 0);
    table.decide(handle, table.found.state, 1, n, 0, 0);
    for (const [way, flags] of [
      [0, FLAG.SYN],
      [1, FLAG.SYN | FLAG.ACK],
      [0, FLAG.ACK],
    ])
      table.track(handle + way, table.found.state, flags, 1, 1, 1, 60, 0);
  }
  const opened = ((performance.now() - start) * 1e6) / flows;
  const grown = (process.memoryUsage().rss - before) / flows;
  const sources = Int32Array.from({ length: QUERIES }, () => 0x0a000000 + next(flows));
  const lookups = best(QUERIES, () => {
    for (let i = 0; i < QUERIES; i++) sum = (sum + table.lookup4(1, TCP, sources[i], SERVER, PORTS, 1)) | 0;
  });
  const misses = best(QUERIES, () => {
    for (let i = 0; i < QUERIES; i++) sum = (sum + table.lookup4(2, TCP, sources[i], SERVER, PORTS, 1)) | 0;
  });
  const packets = best(QUERIES, () => {
    for (let i = 0; i < QUERIES; i++) {
      const handle = table.lookup4(1, TCP, sources[i], SERVER, PORTS, 1);
      const { state } = table.found;
      const { target } = table.found;
      sum = (sum + target + table.track(handle, state, FLAG.ACK, 1, i, 1, 1500, 1)) | 0;
    }
  });
  const swept = best(flows, () => {
    sum += table.sweep(1, flows);
  });
  console.log(
    [
      `${flows} flows, ${engines} engines: lookup ${lookups}`,
      `missing ${misses}`,
      `lookup and track ${packets}`,
      `sweep ${swept}`,
      `open, decide, handshake ${opened.toFixed(0)} ns`,
      `${grown.toFixed(0)} octets`,
    ].join(', '),
  );
}

for (const flows of [16, 1000, 64_000, 1_000_000]) measure(flows);
console.log(sum === 0 ? '' : '.');
