/** Writes the README beside the captures: what tshark says of each file, and the commands that it was made by. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../shell.js';
import { CAPTURES } from '../captures.js';
import type { Recipe, Step, Tagging } from './recipe.js';
import { pathOf } from './record.js';

const HEAD = `# Captures of real traffic

What real programs sent each other through three network namespaces: client, router and server, joined by veth. Made by
\`npm run fixtures:captures\`, which needs root, tcpdump, tshark, iperf3, curl, dig, dnsmasq, python3 with scapy and ethtool,
and writes this page, too. With names behind \`--\` it makes only those anew. [lab.ts](../../bench/traffic/record/lab.ts)
has the topology, [recipes.ts](../../bench/traffic/record/recipes.ts) every capture.

Classic pcap, Ethernet, microseconds; whole packets, cut off after the number that a recipe keeps. Addresses are those of
the namespaces; payloads are a pattern of iperf3, this repository's LICENSE, and answers of the servers named here. Offloads of
the devices are off and checksums right, but in \`tcp-offloads-*\`; a pcap has no room for what virtio's header would say of
those. Not every kernel has VLAN devices, so tags were put into the frames of other captures by scapy.

\`bench/traffic\` reads them for benchmarks, and takes the headers of its mixes from them. \`test/golden/captures.test.ts\`
sends every packet through the switch: none is malformed to it, and each comes out as it went in.

Protocols are tshark's; the number says in how many packets it is the last.
`;

/** A line of tshark's protocol hierarchy. */
interface Line {
  readonly depth: number;
  readonly protocol: string;
  readonly frames: number;
}

export function writeReadme(recipes: readonly Recipe[], taggings: readonly Tagging[]): void {
  const rows = [...recipes, ...taggings].map(({ name, about }) => row(name, about));
  const table = [
    '| file | what | packets | octets | protocols, in packets |',
    '|---|---|---|---|---|',
    ...rows,
  ];
  const commands = ['## Commands', ...recipes.map(commandsOf), ...taggings.map(taggingOf)];
  writeFileSync(join(CAPTURES, 'README.md'), `${HEAD}\n${table.join('\n')}\n\n${commands.join('\n\n')}\n`);
}

function row(name: string, about: string): string {
  const tree = run('tshark', ['-n', '-q', '-r', pathOf(name), '-z', 'io,phs']);
  const lines = [...tree.matchAll(/^( *)(\S+) +frames:(\d+)/gm)].map(([, indent, protocol, frames]) => ({
    depth: indent.length / 2,
    protocol,
    frames: Number(frames),
  }));
  const size = statSync(pathOf(name)).size;
  return `| \`${name}\` | ${about} | ${lines[0]?.frames ?? 0} | ${size} | ${ends(lines)} |`;
}

/** Paths of the hierarchy, without Ethernet, which all have; of each the packets that go no further. */
function ends(lines: readonly Line[]): string {
  const path: string[] = [];
  const found = lines.flatMap((line, index) => {
    path.length = line.depth;
    path.push(line.protocol);
    const ending = line.frames - deeper(lines, index);
    return ending > 0 ? [`${path.slice(1).join(':')} ${ending}`] : [];
  });
  return found.join(', ');
}

/** Packets in the lines directly below a line. */
function deeper(lines: readonly Line[], index: number): number {
  let sum = 0;
  for (const { depth, frames } of lines.slice(index + 1)) {
    if (depth <= lines[index].depth) break;
    if (depth === lines[index].depth + 1) sum += frames;
  }
  return sum;
}

function commandsOf({ name, captureAt, setup = [], servers = [], steps }: Recipe): string {
  const shown = [
    ...setup.map(line),
    ...servers.map((step) => `${line(step)} &`),
    `${captureAt}$ tcpdump -i eth0 -w ${name}.pcap &`,
    ...steps.map(line),
  ];
  return `\`${name}\`:\n\n\`\`\`\n${shown.join('\n')}\n\`\`\``;
}

function taggingOf({ name, from, tags }: Tagging): string {
  return `\`${name}\`:\n\n\`\`\`\ntag.py ${from}.pcap ${name}.pcap ${tags.join(' ')}\n\`\`\``;
}

function line({ at, command }: Step): string {
  return `${at}$ ${command}`;
}
