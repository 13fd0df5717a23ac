/** `podwire doctor`: is this machine ready for podwire? Exit status 1 where something required is missing. */
import { Command } from 'commander';
import { canonicalIp } from '../../control/cidr.js';
import { DAEMON_OPTIONS } from '../../control/options.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import type { ClusterQuestion } from '../doctor/cluster.js';
import { CNI_PLACES, type CniPlaces } from '../doctor/cni.js';
import type { Finding } from '../doctor/finding.js';
import { failure, usage } from '../errors.js';
import { type Palette, paletteFor } from '../output/style.js';
import { pad } from '../output/table.js';
import { counted } from '../output/units.js';
import { wrap } from '../output/wrap.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check this machine for what podwire needs, and say what to do')
    .option('--underlay <ADDR>', 'look at the tunnel of a daemon that would have this address')
    .option('--tunnel-port <N>', 'its UDP port (default: 4789)')
    .option('--peer <ADDR>', 'underlay address of another node; again for more', collect, [])
    .option(
      '--conf-dir <DIR>',
      `where container runtimes look for conflists (default: ${CNI_PLACES.confDir})`,
    )
    .option('--bin-dir <DIR>', `where they look for plugins (default: ${CNI_PLACES.binDirs.join(' or ')})`)
    .action(async (flags: DoctorFlags, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const { examine } = await import('../doctor/examine.js');
      const findings = await examine(clientFor(self), defaultClusterCidrs(), question(flags), places(flags));
      const missing = findings.filter(({ state }) => state === 'failed');
      if (format === 'json') printJson({ ok: missing.length === 0, checks: findings });
      else print(renderFindings(findings, paletteFor(process.stdout), process.stdout.columns || 120));
      if (missing.length > 0) throw failure('DOCTOR_FAILED', failureText(missing));
    });
}

interface DoctorFlags {
  readonly underlay?: string;
  readonly tunnelPort?: string;
  readonly peer: readonly string[];
  readonly confDir?: string;
  readonly binDir?: string;
}

function places({ confDir = CNI_PLACES.confDir, binDir }: DoctorFlags): CniPlaces {
  return { confDir, binDirs: binDir === undefined ? CNI_PLACES.binDirs : [binDir] };
}

function collect(value: string, values: readonly string[]): string[] {
  return [...values, value];
}

/** A daemon's own flags, and as there also from the environment. */
function question(flags: DoctorFlags): ClusterQuestion {
  const text = flags.tunnelPort ?? (process.env.PODWIRE_TUNNEL_PORT || '4789');
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) {
    throw usage(`--tunnel-port ${text}: must be a whole number from 1 to 65535`);
  }
  const underlay = flags.underlay ?? process.env.PODWIRE_UNDERLAY;
  const peers = flags.peer.map((address) => canonical('--peer', address));
  if (!underlay && peers.length > 0) throw usage('--peer needs --underlay, the address of this node');
  return { port, peers, underlay: underlay ? canonical('--underlay', underlay) : undefined };
}

function canonical(flag: string, address: string): string {
  try {
    return canonicalIp(address);
  } catch {
    throw usage(`${flag} ${address}: must be an IPv4 or IPv6 address`);
  }
}

function defaultClusterCidrs(): string[] {
  return DAEMON_OPTIONS.find(({ name }) => name === 'cluster-cidr')?.default?.split(',') ?? [];
}

function failureText(missing: readonly Finding[]): string {
  const names = missing.map(({ name }) => name).join(', ');
  return `${counted(missing.length, 'requirement')} of podwire not met: ${names}; the report says what to do`;
}

/** A line for each finding, and one below it with what to do. */
export function renderFindings(findings: readonly Finding[], palette: Palette, columns: number): string {
  const marks = { ok: palette.good('✓'), warning: palette.warn('!'), failed: palette.bad('✗') };
  const width = Math.max(...findings.map(({ name }) => name.length));
  const indent = width + 7;
  const lines = findings.flatMap(({ name, state, found, fix }) => [
    ...indented(`  ${marks[state]} ${pad(name, width)}   `, wrap(found, columns - indent), indent),
    ...(fix === undefined ? [] : indented(' '.repeat(indent), wrap(`→ ${fix}`, columns - indent), indent)),
  ]);
  return `${lines.join('\n')}\n\n${verdict(findings)}\n`;
}

function indented(start: string, text: readonly string[], indent: number): string[] {
  return text.map((line, index) => `${index === 0 ? start : ' '.repeat(indent)}${line}`);
}

function verdict(findings: readonly Finding[]): string {
  const warnings = findings.filter(({ state }) => state === 'warning').length;
  if (findings.some(({ state }) => state === 'failed')) return 'podwire cannot run here as it is.';
  return warnings === 0 ? 'podwire can run here.' : `podwire can run here; ${counted(warnings, 'remark')}.`;
}
