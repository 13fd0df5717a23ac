/**
 * An explanation for people: the ends, the way, then each direction with its rule and that rule's lines. What is the same for
 * all backends of a service is said once; of more backends than a few only the verdicts.
 */
import type {
  ExplainAnswer,
  ExplainEnd,
  ExplainMiss,
  ExplainPath,
  ExplainRule,
  ExplainVerdict,
} from '../../control/api/explain-types.js';
import { policyText } from '../../control/policies/note-text.js';
import type { PolicyName } from '../../control/policies/types.js';
import type { Palette } from './style.js';
import { renderFields } from './table.js';
import { formatMicros } from './units.js';

/** Words of `podwire get`. */
const KIND_WORDS: Readonly<Record<PolicyName['kind'], string>> = {
  NetworkPolicy: 'networkpolicy',
  AdminNetworkPolicy: 'adminnetworkpolicy',
  BaselineAdminNetworkPolicy: 'baselineadminnetworkpolicy',
};

export function explanation(answer: ExplainAnswer, palette: Palette): string {
  const { paths, service } = answer;
  const isMany = service !== null;
  const parts = paths.map((path, index) =>
    pathText(path, isMany ? `Backend ${index + 1} of ${service.backends}` : undefined, palette),
  );
  return `${[headText(answer), ...parts, finalText(answer, palette)].join('\n')}`;
}

/** What was asked. */
function headText({ paths, from, to, protocol, port, service }: ExplainAnswer): string {
  const [path] = paths;
  const asked =
    port === null
      ? protocol === 'icmp'
        ? 'icmp, as ping'
        : `${protocol}, every port`
      : `${protocol} ${port}`;
  const fields: [string, string][] = [
    ['From', path ? endText(path.from) : from],
    ['To', service || !path ? serviceText(to, service) : endText(path.to)],
    ['Asked', asked],
  ];
  if (!service && path) fields.push(['Way', wayText(path)]);
  return renderFields(fields);
}

function serviceText(to: string, service: ExplainAnswer['service']): string {
  if (!service) return to;
  const { name, address, port, backends, otherBackends } = service;
  const at = address === undefined ? 'whose names stand for its pods' : `at ${place(address, port)}`;
  const others = otherBackends > 0 ? `, ${otherBackends} more take no new connections` : '';
  const count = `${backends} ${backends === 1 ? 'backend' : 'backends'}`;
  return `service ${name} ${at}: ${count}${others}`;
}

function pathText(path: ExplainPath, title: string | undefined, palette: Palette): string {
  const verdicts = [
    verdictText(path.egress, path.from, palette),
    verdictText(path.ingress, path.to, palette),
  ];
  if (title === undefined) return verdicts.join('\n');
  const head = renderFields([
    [title, endText(path.to, path.port)],
    ['Way', wayText(path)],
  ]);
  return [head, ...verdicts].join('\n');
}

function endText({ kind, address, pod, node, network }: ExplainEnd, port?: number): string {
  const at = port === undefined ? address : place(address, port);
  const where = [network && `network ${network}`, node && `node ${node}`].filter(Boolean).join(', ');
  const suffix = where === '' ? '' : `, ${where}`;
  switch (kind) {
    case 'pod':
      return `${pod} (${at})${suffix}`;
    case 'node':
      return pod === undefined
        ? `node ${node} (${at})`
        : `${pod} (${at}), which uses the interfaces of node ${node}`;
    case 'gateway':
      return `${at}, the gateway of network ${network}`;
    case 'cluster':
      return `${at}, of the cluster, but of no pod that is known${suffix}`;
    case 'outside':
      return `${at}, outside of the cluster`;
  }
}

function wayText({ way: { text, peer } }: ExplainPath): string {
  if (!peer) return text;
  const rtt = peer.rttMicros === null ? '' : `, ${formatMicros(peer.rttMicros)}`;
  return `${text} (${peer.address}, ${peer.state}${rtt})`;
}

function verdictText(verdict: ExplainVerdict, end: ExplainEnd, palette: Palette): string {
  const { direction, pod, node, text, rule, misses } = verdict;
  const who = pod ?? end.pod ?? end.address;
  const name = `${direction === 'egress' ? 'Egress' : 'Ingress'} of ${who}${node === undefined ? '' : `, at node ${node}`}`;
  const colour = verdict.verdict === 'allow' ? palette.good : palette.bad;
  const lines = [palette.bold(name), `  ${coloured(text, colour)}`];
  if (rule) lines.push(...ruleLines(rule, palette));
  for (const miss of misses ?? []) lines.push(...missLines(miss, direction, palette));
  return lines.map((line) => `${line}\n`).join('');
}

/** The first word, which is the verdict. */
function coloured(text: string, colour: (text: string) => string): string {
  return text.replace(/^\w+/, (word) => colour(word));
}

function ruleLines({ policy, path, line, peer, port, lines }: ExplainRule, { dim, bold }: Palette): string[] {
  const items = [peer, port].filter((item) => item !== undefined);
  const said = items.length === 0 ? [`${path}, line ${line}: for everybody, every port`] : [];
  const width = Math.max(0, ...items.map((item) => item.path.length));
  const found = items.map((item) => `${item.path.padEnd(width)}   line ${item.line}: ${item.text}`);
  const digits = String(lines.at(-1)?.number ?? 0).length;
  return [
    ...[...said, ...found].map((text) => `    ${text}`),
    dim(`    podwire get ${commandWords(policy)} -o yaml`),
    ...withGaps(
      lines,
      (one) => {
        const text = `${String(one.number).padStart(digits)}  ${one.text}`;
        return one.matched ? `    > ${bold(text)}` : `      ${dim(text)}`;
      },
      `      ${dim('⋮'.padStart(digits))}`,
    ),
  ];
}

function withGaps<Line extends { number: number }>(
  lines: readonly Line[],
  text: (line: Line) => string,
  gap: string,
) {
  return lines.flatMap((line, index) => {
    const before = lines[index - 1];
    return before && before.number + 1 < line.number ? [gap, text(line)] : [text(line)];
  });
}

function missLines({ policy, rules }: ExplainMiss, direction: string, { dim }: Palette): string[] {
  const head = `    ${policyText(policy)}`;
  if (rules.length === 0) return [`${head}: has no ${direction} rules`];
  const width = Math.max(...rules.map(({ path }) => path.length));
  return [
    head,
    ...rules.map(({ path, line, why }) => `      ${path.padEnd(width)}   ${dim(`line ${line}:`)} ${why}`),
  ];
}

function commandWords({ kind, namespace, name }: PolicyName): string {
  return `${KIND_WORDS[kind]} ${name}${namespace === undefined ? '' : ` -n ${namespace}`}`;
}

function finalText({ verdict, text }: ExplainAnswer, { good, bad, warn, bold }: Palette): string {
  const colour = verdict === 'allowed' ? good : verdict === 'depends' ? warn : bad;
  return `${bold(coloured(text, colour))}\n`;
}

function place(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
