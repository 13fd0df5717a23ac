import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Twice as many files at a time as there are cores: most of what takes long waits for kernels, daemons and timers.
const maxWorkers = Math.min(8, 2 * availableParallelism());

/**
 * A test that takes ten seconds with a processor of its own takes five times that beside others that want it as much. What
 * hangs is still ended.
 */
const BUSY_MS = 90_000;

/** Files that take longest, so that none of them is left over at the end. */
const LONGEST = [
  'netns/demo',
  'netns/runtime-podman',
  'netns/cluster',
  'netns/raw',
  'netns/policy-recipes',
  'netns/policy-closed',
  'netns/policy-traffic',
  'netns/daemon-limits',
  'netns/cluster-kernel',
  'netns/faults-daemon',
  'netns/workers',
  'netns/bench-scale',
  'netns/bench',
  'netns/cluster-faults',
  'netns/daemon-start',
  'netns/daemon',
  'netns/services-outside',
  'netns/services-traffic',
  'netns/services-inside',
  'netns/cluster-services',
  'netns/cluster-etcd',
  'netns/runtime-podman-cycles',
  'netns/runtime-containerd-cycles',
  'netns/runtime-containerd',
  'netns/tunnel-conformance',
  'fuzz/policy-oracle',
  'sim/cluster',
  'unit/linux/allocation',
  'unit/dataplane/no-allocation',
  'unit/control/store/etcd-faults',
  'unit/control/store/remote-faults',
].map((name) => `/test/${name}.test.ts`);

/** They hold the heap of their process against what the compiled code leaves on it: it has to be a process of their own. */
const MEASURING = ['test/unit/**/*allocation.test.ts', 'test/unit/control/api/server.test.ts'];

/** The longest first; then what computes and what waits by turns, each of the latter with its share of the others. */
class ByTurns extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => LONGEST.findIndex((name) => moduleId.endsWith(name));
    const longest = files.filter((file) => place(file) >= 0).sort((a, b) => place(a) - place(b));
    const others = await super.sort(files.filter((file) => place(file) < 0));
    const isWaiting = ({ project }: TestSpecification) => project.name === 'netns';
    const waiting = others.filter(isWaiting);
    const computing = others.filter((file) => !isWaiting(file));
    const share = Math.ceil(computing.length / Math.max(1, waiting.length));
    const turns = Array.from({ length: Math.max(waiting.length, computing.length) }, (_, index) => index);
    return [
      ...longest,
      ...turns.flatMap((turn) => [
        ...waiting.slice(turn, turn + 1),
        ...computing.slice(turn * share, (turn + 1) * share),
      ]),
    ];
  }
}

// unit: everything that runs from the sources in one process; its files share processes and the modules in them, of which to
// load them anew for each of 250 files took a third of their time. alone: of those, what cannot share. netns: the built program in
// network namespaces, with real devices and real programs.
export default defineConfig({
  test: {
    sequence: { sequencer: ByTurns },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,golden,conformance,sim,fuzz}/**/*.test.ts'],
          exclude: MEASURING,
          isolate: false,
          testTimeout: BUSY_MS,
          hookTimeout: BUSY_MS,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'alone',
          include: MEASURING,
          // A young generation of one megabyte: a quarter of the calls fills it more often than all would the usual one of sixteen.
          execArgv: ['--max-semi-space-size=1'],
          testTimeout: BUSY_MS,
          hookTimeout: BUSY_MS,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'netns',
          include: ['test/netns/**/*.test.ts'],
          testTimeout: 2 * BUSY_MS,
          hookTimeout: 2 * BUSY_MS,
          maxWorkers,
        },
      },
    ],
  },
});
