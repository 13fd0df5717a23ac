/** What /proc says of a running process: processor time and memory. */
import { readFileSync } from 'node:fs';

/** USER_HZ, which is 100 on every architecture that Node runs on: the unit of /proc/PID/stat. */
const TICKS = 100;

/** Processor seconds that all threads of the process have used, in user space and in the kernel. proc(5), stat. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in brackets, may have blanks: what follows it begins with field 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Bytes. */
export interface Memory {
  /** What is in memory of the process, shared pages counted whole: VmRSS. */
  readonly resident: number;
  /** The same, pages that others share counted by their part: Pss. */
  readonly proportional: number;
  /** Of `resident`: pages of files, which are the program and its libraries, and can be read again. */
  readonly files: number;
  /** Of `resident`: the packet pool. */
  readonly pool: number;
  /** Of `resident`: the rest; heaps, stacks, compiled code. */
  readonly heaps: number;
}

/** The packet pool is the only mapping of a gigabyte or so; 16 k slots of 64 KiB (dataplane/worker/handle.ts). */
const POOL_BYTES = 2 ** 29;

export function memoryOf(pid: number): Memory {
  const resident = kilobytes(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmRSS');
  const proportional = kilobytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss');
  const mappings = mappingsOf(pid);
  const sum = (kind: Mapping['kind']): number =>
    mappings.reduce((total, mapping) => total + (mapping.kind === kind ? mapping.resident : 0), 0);
  return { resident, proportional, files: sum('file'), pool: sum('pool'), heaps: sum('heap') };
}

interface Mapping {
  readonly kind: 'file' | 'pool' | 'heap';
  readonly resident: number;
}

/** `7f12…-7f34… rw-s 00000000 00:01 1234   /path`, then lines of `Name:  123 kB`. */
function mappingsOf(pid: number): Mapping[] {
  const text = readFileSync(`/proc/${pid}/smaps`, 'utf8');
  return text.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).map((mapping) => {
    const path = /^\S+ \S+ \S+ \S+ \d+ +(\/.*)$/m.exec(mapping)?.[1];
    const isPool = kilobytes(mapping, 'Size') >= POOL_BYTES;
    const kind = path !== undefined ? 'file' : isPool ? 'pool' : 'heap';
    return { kind, resident: kilobytes(mapping, 'Rss') };
  });
}

/** The value of a line `Name:  123 kB`, as bytes. */
function kilobytes(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text);
  if (!found) throw new Error(`/proc says nothing of ${name}`);
  return Number(found[1]) * 1024;
}
