/** The host's kernel as the way out and the way in: nftables, and firewalls that drop what is forwarded. */
import { execFileSync } from 'node:child_process';
import type { StatusAnswer } from '../../control/api/types.js';
import { type Finding, ok, warning } from './finding.js';

/** @param status of a daemon that runs */
export function hostRules(status: StatusAnswer | undefined): Finding {
  const name = 'nftables';
  const fix =
    'install nftables and see the log; without it pods have no way out, and services none in from outside';
  if (status?.hostProblem) return warning(name, status.hostProblem, fix);
  try {
    const version = run('nft', '--version').trim();
    return ok(name, status ? `${version}; table inet podwire in force` : version);
  } catch {
    return warning(name, 'the program nft is missing', fix);
  }
}

/** Another table's drop is final: nothing of podwire's can accept it. */
export function forwardPolicy(): Finding {
  const name = 'firewall';
  const drops = droppingChains();
  if (drops.length === 0) return ok(name, 'no policy that drops what is forwarded');
  return warning(
    name,
    `${drops.join(', ')} drops what is forwarded: pods may have no way out, and node ports none in`,
    'accept podwire0 there, in both directions; of Docker: iptables -I DOCKER-USER -i podwire0 -j ACCEPT, and the same with -o',
  );
}

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/** iptables' chains too, where it is the one that uses nftables. */
function droppingChains(): string[] {
  const { nftables } = JSON.parse(attempt('nft', '-j', 'list', 'chains') || '{"nftables":[]}') as {
    nftables: { chain?: Chain }[];
  };
  const chains = nftables.flatMap(({ chain }) => (chain ? [chain] : []));
  const found = chains.filter(({ hook, policy }) => hook === 'forward' && policy === 'drop');
  const legacy = ['iptables-legacy', 'ip6tables-legacy'].filter((program) =>
    attempt(program, '-S', 'FORWARD').startsWith('-P FORWARD DROP'),
  );
  return [...found.map(({ family, table, name }) => `${family} ${table} ${name}`), ...legacy];
}

function attempt(program: string, ...words: string[]): string {
  try {
    return run(program, ...words);
  } catch {
    return '';
  }
}

function run(program: string, ...words: string[]): string {
  return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
