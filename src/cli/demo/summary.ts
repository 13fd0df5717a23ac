/** The demo's last words: figures for people and for `--json`, and where to go from here. */
import { ioName } from '../output/io-name.js';
import { renderFields, renderTable } from '../output/table.js';
import { formatBitRate, formatBytes, formatMicros } from '../output/units.js';
import { programName } from '../program-name.js';
import type { Figures } from './figures.js';
import type { DemoNode, Pod } from './node.js';
import type { DemoOutcome } from './run.js';
import type { Stage } from './stage.js';

/** `{ ok, checks, … }` of `demo --json`. */
export function demoJson({ ok, checks, figures, stage, kept, log, millis }: DemoOutcome): unknown {
  return {
    ok,
    checks: checks.map((check) => ({
      ...check,
      millis: check.millis === null ? null : Math.round(check.millis),
    })),
    figures,
    millis: Math.round(millis),
    ...(ok ? {} : { log }),
    ...(kept
      ? { kept: { ...keptNode(stage.first), namespaces: stage.namespaces, nodes: stage.nodes.map(keptNode) } }
      : {}),
  };
}

function keptNode({ name, netns, switch: daemon }: DemoNode) {
  return { name, netns, socket: daemon.socket, pid: daemon.pid };
}

export function summary(outcome: DemoOutcome): string {
  const { stage, kept, ok, log } = outcome;
  const isAttached = stage.pods.some(({ attached }) => attached !== undefined);
  const fields = isAttached ? [...switchFields(stage), ...figureFields(outcome.figures)] : [];
  return [
    '',
    verdict(outcome),
    '',
    ...(isAttached
      ? [
          renderTable(
            stage.pods,
            stage.nodes.length > 1 ? [POD_NAME, POD_NODE, ...POD_COLUMNS] : [POD_NAME, ...POD_COLUMNS],
          ),
          renderFields(fields, process.stdout.columns),
        ]
      : []),
    ...(ok || log.length === 0
      ? []
      : [`The end of the daemon's log:\n${log.map((line) => `  ${line}\n`).join('')}`]),
    kept ? keptHints(stage) : nextHints(),
  ].join('\n');
}

function verdict({ ok, checks, millis }: DemoOutcome): string {
  const time = `in ${(millis / 1000).toFixed(1)} s`;
  if (ok) return `All ${checks.length} checks passed ${time}.`;
  const notRun = checks.filter((check) => check.millis === null);
  const failed = checks.filter((check) => !check.ok).length - notRun.length;
  const rest = notRun[0] === undefined ? '' : ` ${notRun.length} were ${notRun[0].detail}.`;
  return `${failed} of ${checks.length} checks failed ${time}.${rest}`;
}

const POD_NAME = { header: 'POD', value: (pod: Pod) => pod.name };
const POD_NODE = { header: 'NODE', value: (pod: Pod) => pod.node.name };
const POD_COLUMNS = [
  { header: 'INTERFACE', value: (pod: Pod) => pod.attached?.ifname },
  { header: 'IPV4', value: (pod: Pod) => pod.attached?.ips[0] },
  { header: 'IPV6', value: (pod: Pod) => pod.attached?.ips[1] },
  { header: 'MAC', value: (pod: Pod) => pod.attached?.mac },
];

type Field = readonly [string, string];

function switchFields({ nodes, first }: Stage): Field[] {
  const { status } = first;
  return [
    ...nodes.map((node): Field => [nodes.length > 1 ? `Node ${node.name}` : 'Node', nodeText(node)]),
    ['Switch', `${ioName(status.io)} (${status.ioReason}), MTU ${status.mtu}, podwire ${status.version}`],
  ];
}

function nodeText({ status, underlay }: DemoNode): string {
  const own = `podwire0 ${status.nodeIPs.join(', ')}`;
  return underlay === undefined ? own : `underlay ${underlay}, ${own}`;
}

function figureFields(figures: Figures): Field[] {
  const fields: Field[] = [];
  const { rttMicros, tunnelRttMicros, recoveryMillis, detectionMillis, packets, bytes } = figures;
  if (rttMicros) {
    fields.push(['Round trip', `p50 ${formatMicros(rttMicros.p50)}, p99 ${formatMicros(rttMicros.p99)}`]);
  }
  if (tunnelRttMicros) {
    const { p50, p99 } = tunnelRttMicros;
    fields.push(['Through tunnel', `p50 ${formatMicros(p50)}, p99 ${formatMicros(p99)}`]);
  }
  const rates = Object.entries(figures.tcpBitsPerSecond).map(
    ([what, rate]) => `${what} ${formatBitRate(rate)}`,
  );
  if (rates.length > 0) fields.push(['TCP', rates.join(', ')]);
  if (packets !== undefined && bytes !== undefined) {
    fields.push(['Forwarded', `${packets} packets, ${formatBytes(bytes)}`]);
  }
  const drops = figures.drops.map(({ reason, count }) => `${reason} ${count}`);
  if (drops.length > 0) fields.push(['Dropped', drops.join(', ')]);
  if (recoveryMillis !== undefined) {
    const noticed =
      detectionMillis === undefined ? '' : `${formatMicros(detectionMillis * 1000)} until noticed, `;
    fields.push(['After kill -9', `${noticed}${formatMicros(recoveryMillis * 1000)} to forward again`]);
  }
  return fields;
}

function keptHints({ first, pods }: Stage): string {
  const program = `${programName()} --socket ${first.switch.socket}`;
  const last = pods.at(-1);
  return lines('Still running. Look around:', [
    [`${program} status`, ''],
    [`${program} pods`, ''],
    [`${program} stats`, ''],
    [`${program} drops`, ''],
    [`ip netns exec ${pods[0]?.netns} ping ${last?.attached?.ips[0]}`, ''],
    [`less ${first.switch.logFile}`, ''],
    [`${programName()} demo --clean`, 'end and remove it all'],
  ]);
}

function nextHints(): string {
  const program = programName();
  return lines('Next:', [
    [`${program} demo --keep`, 'leave it running, to look around'],
    [`${program} doctor`, 'is this machine ready for podwire?'],
    [`${program} daemon --help`, 'run the switch here'],
    [`${program} attach --help`, 'give a namespace or a container an interface'],
  ]);
}

function lines(heading: string, commands: readonly (readonly [string, string])[]): string {
  const width = Math.max(...commands.map(([command]) => command.length));
  const text = commands.map(([command, what]) => `  ${command.padEnd(width)}   ${what}`.trimEnd());
  return `${heading}\n${text.join('\n')}\n`;
}
