/** The machine that figures were made on: what they depend on, and nothing that names it. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly processors: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Versions of the programs that measure, or are compared with; those that are there. */
  readonly programs: Readonly<Record<string, string>>;
}

/** How each program says its version. Only the number is taken: some say the host's name beside it. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  iperf3: ['iperf3', '--version'],
  trafgen: ['trafgen', '--version'],
  ping: ['ping', '-V'],
  sockperf: ['sockperf', '--version'],
  'Open vSwitch': ['ovs-vswitchd', '--version'],
  gcc: ['gcc', '-dumpfullversion'],
  iproute2: ['ip', '-V'],
};

export function thisMachine(): Machine {
  const programs = Object.entries(PROGRAMS).flatMap(([name, call]) => {
    const found = version(call);
    return found === undefined ? [] : [[name, found]];
  });
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: /^[\d.]+/.exec(release())?.[0] ?? release(),
    node: process.versions.node,
    programs: Object.fromEntries(programs),
  };
}

function version([program, ...args]: readonly string[]): string | undefined {
  const { stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 5000 });
  return error === undefined ? /\d+(\.\d+)+|\b\d{8}\b/.exec(stdout + stderr)?.[0] : undefined;
}

export function machineText({ cpu, processors, memoryGiB, kernel, node, programs }: Machine): string {
  const versions = Object.entries(programs).map(([name, text]) => `${name} ${text}`);
  const memory = memoryGiB > 0 ? [`${memoryGiB} GiB of memory`] : [];
  return [`${cpu}, ${processors} processors`, ...memory, `Linux ${kernel}`, `Node ${node}`, ...versions].join(
    ', ',
  );
}
