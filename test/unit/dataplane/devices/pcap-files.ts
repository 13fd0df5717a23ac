/** Capture files for tests, written by scapy and kept as literal octets, and the programs that judge ours. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Ether(dst='02:00:00:00:00:02', src='02:00:00:00:00:01', type=0x88b5)/Raw(b'one'), and the same with b'three'. */
export const ONE = '02000000000202000000000188b56f6e65';
export const THREE = '02000000000202000000000188b57468726565';

/** The two, at 1700000000.000001 and 1700000001.999999: scapy's PcapWriter(linktype=1, endianness='<' and '>'). */
export const LITTLE =
  'd4c3b2a1020004000000000000000000ffff000001000000' +
  `00f15365010000001100000011000000${ONE}` +
  `01f153653f420f001300000013000000${THREE}`;
export const BIG =
  'a1b2c3d40002000400000000000000000000ffff00000001' +
  `6553f100000000010000001100000011${ONE}` +
  `6553f101000f423f0000001300000013${THREE}`;

/** scapy: PcapNgWriter with the first of the two; PcapWriter(nano=True); PcapWriter(linktype=113), Linux cooked. */
export const PCAPNG =
  '0a0d0d0a1c0000004d3c2b1a0100000000000000000000001c0000000100000014000000010000000000040014000000' +
  `060000003400000000000000240a060001401e181100000011000000${ONE}00000034000000`;
export const NANOSECONDS = `4d3cb2a1020004000000000000000000ffff00000100000000f15365e80300001100000011000000${ONE}`;
export const COOKED = 'd4c3b2a1020004000000000000000000ffff000071000000';

/** A folder for one test file, and what is written to it. */
export class Folder {
  private readonly path = mkdtempSync(join(tmpdir(), 'podwire-pcap-'));

  file(name: string): string {
    return join(this.path, name);
  }

  write(name: string, octets: string): string {
    writeFileSync(this.file(name), Buffer.from(octets, 'hex'));
    return this.file(name);
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}

/** ` [skipped: …]` where a program is missing, else nothing. */
export function missing(program: string): string {
  const isThere = spawnSync(program, ['--version']).error === undefined;
  return isThere ? '' : ` [skipped: needs ${program}]`;
}

/** What a program prints. @throws where it does not end with status 0. */
export function output(program: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
