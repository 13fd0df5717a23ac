/** The report, written to a folder from stored figures; a real XML parser judges the pictures. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { linearAxis, logAxis, tickText } from '../../../bench/report/axis.js';
import { ROOT } from '../../../bench/report/files.js';
import { thisMachine } from '../../../bench/report/machine.js';
import { figuresTable } from '../../../bench/report/markdown.js';
import { plots, quantityIn } from '../../../bench/report/plots.js';
import { readmeWith } from '../../../bench/report/readme.js';
import { writeReport } from '../../../bench/report/report.js';
import { expectedOf, merge, readStored, writeStored } from '../../../bench/report/stored.js';
import { alone, compared, EXAMPLE, section } from './report-example.js';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'podwire-report-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  mkdirSync(join(path, 'docs'));
  return path;
}

/** Python's parser (expat): rejects what is not well-formed. Prints the text of every text element. */
const PARSE = `
import sys, json, xml.etree.ElementTree as tree
names = {}
for path in sys.argv[1:]:
    root = tree.parse(path).getroot()
    assert root.tag == '{http://www.w3.org/2000/svg}svg', root.tag
    names[path] = [''.join(e.itertext()) for e in root.iter('{http://www.w3.org/2000/svg}text')]
print(json.dumps(names))
`;

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import xml.etree.ElementTree'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('the pictures', () => {
  it.skipIf(!hasPython())('are well-formed XML, with title, units, names and values', () => {
    const root = folder();
    writeReport(EXAMPLE, root);
    const where = join(root, 'docs/benchmarks');
    const files = readdirSync(where).filter((name) => name.endsWith('.svg'));
    const parsed = execFileSync('python3', ['-c', PARSE, ...files.map((file) => join(where, file))], {
      encoding: 'utf8',
    });
    const texts = JSON.parse(parsed) as Record<string, string[]>;
    const tcp = texts[join(where, 'node-tcp.svg')];
    expect(tcp).toEqual(
      expect.arrayContaining(['One host: TCP throughput', 'Gbit/s', 's/GB', 'podwire', 'openvswitch']),
    );
    expect(tcp).toContain('17.716.8–17.9');
    expect(tcp.filter((text) => text === 'absent')).toHaveLength(3);
    const fib = texts[join(where, 'engine-fib.svg')];
    expect(fib).toEqual(
      expect.arrayContaining(['routes', '10', '10 k', '1 M', 'cost of a lookup, ns', 'IPv4 22', 'IPv6 41']),
    );
    expect(files).toEqual([
      ...[
        'engine-fib.svg',
        'engine-flows.svg',
        'engine-routes.svg',
        'node-tcp.svg',
        'scale-memory.svg',
        'scale-ports.svg',
        'tunnel-pps.svg',
      ],
    ]);
  });

  it.skipIf(!hasPython())('stay well-formed whatever a name has in it', () => {
    const root = folder();
    const names = { 'a<b>&"\'c': 5, '</svg>': 6 };
    writeReport([section('node.tcp', compared('node.tcp', ['x < y & z', '<u>'], [1, 1, 2], names))], root);
    const path = join(root, 'docs/benchmarks/node-tcp.svg');
    const texts = JSON.parse(execFileSync('python3', ['-c', PARSE, path], { encoding: 'utf8' }));
    expect(texts[path]).toEqual(expect.arrayContaining(['a<b>&"\'c', '</svg>', '<u>']));
  });

  it('have colours for light and for dark', () => {
    for (const { svg } of plots(EXAMPLE)) expect(svg).toContain('prefers-color-scheme: dark');
  });

  it('go when no figure makes them any more', () => {
    const root = folder();
    mkdirSync(join(root, 'docs/benchmarks'));
    writeFileSync(join(root, 'docs/benchmarks/old.svg'), '');
    writeReport(EXAMPLE, root);
    expect(existsSync(join(root, 'docs/benchmarks/old.svg'))).toBe(false);
  });
});

describe('the document', () => {
  it('has tables, pictures that exist, the machine, the command, and reasons for what is absent', () => {
    const root = folder();
    writeReport([...EXAMPLE, section('other.thing', [alone('other.thing', 'x', 'y', 1)])], root);
    const text = readFileSync(join(root, 'docs/benchmarks.md'), 'utf8');
    expect(text).toContain(
      '| one TCP stream, Gbit/s | 17.7 <sub>16.8–17.9</sub> | 19.2 <sub>17.3–20.2</sub> (0.92) |',
    );
    expect(text).toContain('Absent: c-poll-reflect: c-poll-reflect <is> not installed & "gone".');
    expect(text).toContain('CPU, 2 processors, 8 GiB of memory, Linux 6.1, Node 20.0.0, gcc 12.2.0.');
    expect(text).toContain('2026-11-21, `npm run bench -- node.tcp`: 3 rounds of 4 s.');
    expect(text).toContain('No figures of `node.udp` are stored yet.');
    expect(text).toMatch(
      /^\| route and encapsulate, 1 flow, Mpps \| 16\.4 <sub>[\d.–]+<\/sub> \| 61 <sub>[\d.–]+<\/sub> ns \|/m,
    );
    expect(text).toContain('## Also measured\n\n### other.thing\n');
    const images = [...text.matchAll(/!\[[^\]]+\]\((.+?)\)/g)].map(([, path]) => path);
    expect(images.length).toBeGreaterThan(5);
    for (const image of images) expect(existsSync(join(root, 'docs', image))).toBe(true);
    expect(text).not.toContain('<!-- figures');
  });

  it('names the machine of each section where there are several', () => {
    const root = folder();
    const [first, second] = EXAMPLE;
    writeReport([first, { ...second, machine: { ...second.machine, cpu: 'Other' } }], root);
    const text = readFileSync(join(root, 'docs/benchmarks.md'), 'utf8');
    expect(text).toMatch(/^2\. Other, 2 processors/m);
    expect(text).toContain('3 rounds of 4 s, machine 2.');
  });

  it('in the repository is what its stored figures make', () => {
    const root = folder();
    cpSync(join(ROOT, 'docs/benchmarks/figures.json'), join(root, 'docs/benchmarks/figures.json'));
    cpSync(join(ROOT, 'README.md'), join(root, 'README.md'));
    const written = writeReport([], root);
    expect(written).not.toContain('README.md');
    for (const file of written)
      expect(readFileSync(join(root, file), 'utf8'), file).toBe(readFileSync(join(ROOT, file), 'utf8'));
  });

  it('lists figures one by one where baselines differ', () => {
    const figures = [
      alone('scale.ports', 'CPU while idle, 500 ports', '%', 0.4),
      ...compared('scale.ports', ['frames, 10 ports', 'kpps'], [390, 380, 395], { 'podwire, 2 ports': 400 }),
    ];
    const lines = figuresTable({ scenario: 'scale.ports', figures }).split('\n');
    expect(lines[0]).toBe('|  | podwire | beside (ratio) |');
    expect(lines[3]).toBe(
      '| frames, 10 ports, kpps | 390 <sub>380–395</sub> | podwire, 2 ports: 400 <sub>360–420</sub> (0.97) |',
    );
  });
});

describe('stored figures', () => {
  it('come back as they were, with what is no number', () => {
    const root = folder();
    const none = { ...alone('node.tcp', 'x', 'y', Number.NaN), spread: [Number.NaN, Number.NaN] as const };
    const sections = [...EXAMPLE, section('node.udp', [none])];
    writeStored(sections, root);
    expect(readStored(root)).toEqual(sections);
  });

  it('of scenarios that were not run again stay, in the order of the scenarios', () => {
    const [tcp, pps] = EXAMPLE;
    const again = { ...pps, date: '2027-01-01' };
    expect(merge([pps, tcp], [again], ['node.tcp', 'tunnel.pps'])).toEqual([tcp, again]);
  });

  it('say how long a run will take', () => {
    const scenario = { name: 'node.tcp', summary: '', needsRoot: true, run: async () => [] };
    const plan = [{ scenario }, { scenario: { ...scenario, name: 'x.y' } }];
    expect(expectedOf(plan, EXAMPLE, { rounds: 6, seconds: 4 })).toEqual([
      { name: 'node.tcp', seconds: 120 },
      { name: 'x.y' },
    ]);
  });
});

describe('README', () => {
  it('has its tables between the marks, and nothing else is touched', () => {
    const before = 'a\n<!-- bench -->\nold\n<!-- /bench -->\nb\n';
    const after = readmeWith(before, EXAMPLE);
    expect(after).toMatch(/^a\n<!-- bench -->\nTwo pods on one host:\n[\s\S]+\n<!-- \/bench -->\nb\n$/);
    expect(after).toContain('| one TCP stream | 17.7 Gbit/s | 19.2 (0.92) | 12.9 (1.37) | 13.8 (1.28) |');
    expect(after).not.toContain('old');
    expect(readmeWith(before, [])).toBe(before);
  });
});

describe('axes', () => {
  it('begin at zero and end at or above the greatest', () => {
    expect(linearAxis(17.9).ticks).toEqual([0, 5, 10, 15, 20]);
    expect(linearAxis(20).ticks.at(-1)).toBe(20);
    expect(linearAxis(0).place(0)).toBe(0);
    for (const most of [0.003, 1, 7, 99, 123_456])
      expect(linearAxis(most).place(most)).toBeLessThanOrEqual(1);
  });

  it('that are logarithmic have what is measured between their ends', () => {
    const { ticks, place } = logAxis(8, 158);
    expect([ticks[0], ticks.at(-1)]).toEqual([5, 200]);
    expect(place(ticks[0])).toBe(0);
    expect(place(200)).toBe(1);
    expect(logAxis(1, 1e6).ticks).toEqual([1, 10, 100, 1000, 1e4, 1e5, 1e6]);
  });

  it('are written as people do', () => {
    expect([1, 0.5, 1000, 64_000, 1e6].map(tickText)).toEqual(['1', '0.5', '1,000', '64 k', '1 M']);
  });

  it('take the quantity out of a metric', () => {
    expect(quantityIn('route and encapsulate, 64 k flows, cost', 'flows')).toEqual({
      amount: 64_000,
      rest: 'route and encapsulate',
    });
    expect(quantityIn('60-byte frames, 500 idle ports', 'idle ports')).toEqual({
      amount: 500,
      rest: '60-byte frames',
    });
    expect(quantityIn('1 flow', 'flows')).toEqual({ amount: 1, rest: '' });
    expect(quantityIn('IPv4, 1,000 routes', 'routes')).toEqual({ amount: 1000, rest: 'IPv4' });
    expect(quantityIn('one TCP stream', 'flows')).toBeUndefined();
  });
});

it('the machine is described without its name', () => {
  const text = JSON.stringify(thisMachine());
  expect(thisMachine().processors).toBeGreaterThan(0);
  expect(thisMachine().kernel).toMatch(/^\d[\d.]*$/);
  expect(text).not.toContain(`"${hostname()}`);
  for (const version of Object.values(thisMachine().programs)) expect(version).toMatch(/^[\d.]+$/);
});
