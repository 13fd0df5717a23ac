/**
 * The DNS server, asked by the programs that pods have: dig, the C library, busybox; dnsmasq is its name server.
 *
 *     one namespace, loopback only
 *     dig, getent, nslookup ──► 127.0.0.2, ::1 port 53: the server ──► 127.0.0.9 port 53: dnsmasq
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { missingPrograms, runIn } from '../support/netns-programs.js';
import { ip, isRoot } from './linux-support.js';

const missing = missingPrograms('dig', 'dnsmasq', 'busybox', 'getent', 'unshare');
if (missing) console.log(`skipped: ${missing} is not installed`);

const SERVER = join(import.meta.dirname, '../../dist/test/support/dns-server.js');
const SVC = 'default.svc.cluster.local';

interface World {
  readonly namespace: string;
  readonly folder: string;
  readonly server: ChildProcess;
  /** What the server has printed. */
  said(): string;
  dig(...words: string[]): Promise<string>;
}

let worlds = 0;

async function world(nameservers: readonly string[]): Promise<World> {
  const namespace = `podwire-dns-${process.pid}-${worlds++}`;
  const folder = mkdtempSync(join(tmpdir(), 'podwire-dns-'));
  ip('netns', 'add', namespace);
  onTestFinished(() => {
    ip('netns', 'del', namespace);
    rmSync(folder, { recursive: true });
  });
  ip('-n', namespace, 'link', 'set', 'lo', 'up');
  const resolvConf = join(folder, 'upstream.conf');
  writeFileSync(resolvConf, nameservers.map((address) => `nameserver ${address}\n`).join(''));
  const options = JSON.stringify({ listen: ['127.0.0.2', '::1'], resolvConf });
  const { child: server, said } = await running(namespace, /listening/, process.execPath, SERVER, options);
  const dig = async (...words: string[]) =>
    (
      await runIn(
        namespace,
        'dig',
        '+time=15',
        '+tries=1',
        ...words,
        ...(words[0].startsWith('@') ? [] : ['@127.0.0.2']),
      )
    ).text;
  return { namespace, folder, server, said, dig };
}

/** Until it has printed `ready`; ended with the test. */
async function running(namespace: string, ready: RegExp, program: string, ...words: string[]) {
  const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, program, ...words], { stdio: 'pipe' });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  await vi.waitFor(() => expect(text).toMatch(ready), { timeout: 60_000, interval: 50 });
  return { child, said: () => text };
}

function dnsmasq({ namespace }: Pick<World, 'namespace'>, ...words: string[]) {
  const all = ['-k', '--log-facility=-', '--pid-file=', '--conf-file=/dev/null', '--user=root', '--no-hosts'];
  const where = ['--listen-address=127.0.0.9', '--bind-interfaces'];
  return running(namespace, /started/, 'dnsmasq', ...all, ...where, ...words);
}

/** The C library and busybox read /etc/resolv.conf: a mount namespace of its own gives them one. */
function inPod({ namespace, folder }: World, script: string) {
  const resolv = join(folder, 'pod.conf');
  writeFileSync(
    resolv,
    `nameserver 127.0.0.2\nsearch ${SVC} svc.cluster.local cluster.local\noptions ndots:5\n`,
  );
  const mount = `mount --bind ${resolv} /etc/resolv.conf && ${script}`;
  return runIn(namespace, 'unshare', '--mount', 'sh', '-c', mount);
}

const EXAMPLE = [
  '--no-resolv',
  '--local=/test/',
  '--local-ttl=300',
  '--host-record=www.example.test,192.0.2.5,2001:db8::5',
  '--cname=web.example.test,www.example.test',
  `--txt-record=large.example.test,${'x'.repeat(250)},${'y'.repeat(250)},${'z'.repeat(250)}`,
];

describe.skipIf(!isRoot || missing !== undefined)('the DNS server', () => {
  it('answers dig', async () => {
    const here = await world(['127.0.0.9']);
    await dnsmasq(here, ...EXAMPLE);
    expect(await here.dig(`web.${SVC}`, '+short')).toBe('10.96.0.20\n');
    expect(await here.dig('@::1', `dual.${SVC}`, 'AAAA', '+short')).toBe('fd00:10:96::21\n');
    expect(await here.dig(`_http._tcp.web.${SVC}`, 'SRV', '+short')).toBe(`0 100 80 web.${SVC}.\n`);
    expect(await here.dig('-x', '10.96.0.20', '+short')).toBe(`web.${SVC}.\n`);
    expect(await here.dig('-x', 'fd00:10:96::21', '+short')).toBe(`dual.${SVC}.\n`);
    expect(await here.dig(`nosuch.${SVC}`)).toMatch(/status: NXDOMAIN[\s\S]*SOA/);
    expect(await here.dig(`web.${SVC}`, 'AAAA')).toMatch(/status: NOERROR[\s\S]*ANSWER: 0[\s\S]*SOA/);
    expect(await here.dig('@127.0.0.2', '+opcode=NOTIFY', `web.${SVC}`)).toMatch(/NOTIMP/);
    expect(await here.dig(`web.${SVC}`, '+edns=1', '+noednsneg')).toMatch(/BADVERS/);
    // 300 addresses: cut over UDP, whole over TCP, where dig goes by itself.
    expect(await here.dig(`crowd.${SVC}`, '+ignore')).toMatch(/flags: qr aa tc[\s\S]*\(UDP\)/);
    expect((await here.dig(`crowd.${SVC}`, '+short')).trim().split('\n').length).toBe(300);
    expect(await here.dig(`web.${SVC}`, '+tcp', '+short')).toBe('10.96.0.20\n');
    // dig checks the letters of the question that comes back.
    expect(await here.dig(`wEb.DeFault.SVC.cluster.local`)).toMatch(
      /wEb\.DeFault\.SVC\.cluster\.local\. 5\s+IN\s+A/,
    );
  });

  it('forwards to dnsmasq, and remembers what it said', async () => {
    const here = await world(['127.0.0.9']);
    const upstream = await dnsmasq(here, ...EXAMPLE, '--log-queries');
    expect(await here.dig('www.example.test', '+short')).toBe('192.0.2.5\n');
    expect(await here.dig('www.example.test', 'AAAA', '+short')).toBe('2001:db8::5\n');
    expect(await here.dig('web.example.test', '+short')).toBe('www.example.test.\n192.0.2.5\n');
    expect(await here.dig('nosuch.example.test')).toMatch(/status: NXDOMAIN/);
    // 750 octets: too much for a client without EDNS, which comes again over TCP.
    expect((await here.dig('large.example.test', 'TXT', '+noedns', '+short')).length).toBeGreaterThan(750);
    const large = await here.dig('large.example.test', 'TXT', '+noedns', '+ignore');
    expect(large).toMatch(/flags: qr rd? ?.*tc|flags: qr tc/);
    expect(await here.dig(`away.${SVC}`, '+short')).toBe('www.example.test.\n192.0.2.5\n');
    expect(await here.dig('www.example.test', '+short')).toBe('192.0.2.5\n');
    const questions = upstream.said().match(/query\[A\] www\.example\.test/g);
    expect(questions?.length).toBe(1);
  });

  it('answers the C library and busybox as a pod has them', async () => {
    const here = await world(['127.0.0.9']);
    await dnsmasq(here, ...EXAMPLE);
    const service = await inPod(here, 'getent ahosts dual');
    expect(service.text).toMatch(/10\.96\.0\.21/);
    expect(service.text).toMatch(/fd00:10:96::21/);
    expect((await inPod(here, 'getent hosts www.example.test')).text).toMatch(/2001:db8::5/);
    expect((await inPod(here, 'getent hosts 10.96.0.20')).text).toMatch(`web.${SVC}`);
    expect((await inPod(here, 'getent ahosts cache')).text).toMatch(/10\.80\.0\.3/);
    expect((await inPod(here, 'getent ahosts secret')).status).not.toBe(0);
    expect((await inPod(here, `busybox nslookup web.${SVC}`)).text).toMatch(/Address: 10\.96\.0\.20/);
    expect((await inPod(here, 'busybox nslookup www.example.test')).text).toMatch(/192\.0\.2\.5/);
  });

  it('answers 200 pairs of A and AAAA at a time, none of them late', async () => {
    const here = await world(['127.0.0.9']);
    await dnsmasq(
      here,
      '--no-resolv',
      '--address=/pairs.test/192.0.2.7',
      '--address=/pairs.test/2001:db8::7',
      '--dns-forward-max=1000',
    );
    const { status, text } = await runIn(here.namespace, process.execPath, '-e', PAIRS);
    expect(status, text).toBe(0);
    const { answered, slowest } = JSON.parse(text) as { answered: number; slowest: number };
    expect(answered).toBe(400);
    // A lost or stalled one would be asked again after five seconds.
    expect(slowest).toBeLessThan(4500);
  });

  it('fails within five seconds where no name server answers, and answers for the cluster meanwhile', async () => {
    const here = await world(['127.0.0.9']);
    const deaf =
      "const s = require('dgram').createSocket('udp4'); s.bind(53, '127.0.0.9', () => console.log('deaf'))";
    await running(here.namespace, /deaf/, process.execPath, '-e', deaf);
    const failing = here.dig('www.example.test');
    expect(await here.dig(`web.${SVC}`, '+short')).toBe('10.96.0.20\n');
    expect(await failing).toMatch(/status: SERVFAIL/);
  });

  it('finds a name server that asks it in turn', async () => {
    const here = await world(['127.0.0.9', '127.0.0.2', '::1']);
    await dnsmasq(here, '--no-resolv', '--server=127.0.0.2');
    // The file is read anew: now dnsmasq is there.
    writeFileSync(join(here.folder, 'upstream.conf'), 'nameserver 127.0.0.9\n# again\n');
    await vi.waitFor(() => expect(here.said()).toMatch(/loop 127\.0\.0\.9/), {
      timeout: 60_000,
      interval: 100,
    });
    expect(here.said()).not.toMatch(/loop (127\.0\.0\.2|::1)/);
    expect(await here.dig('www.example.test')).toMatch(/status: SERVFAIL/);
  });
});

/** Each pair from a socket of its own, as the C library sends it: A and AAAA one after the other. */
const PAIRS = `
  const dgram = require('dgram');
  const question = (id, name, type) => {
    const labels = name.split('.').map((label) => String.fromCharCode(label.length) + label).join('');
    return Buffer.from(String.fromCharCode(id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0) + labels + '\\0\\0' + String.fromCharCode(type) + '\\0\\x01', 'latin1');
  };
  let answered = 0, slowest = 0, open = 200;
  for (let pair = 0; pair < 200; pair++) {
    const socket = dgram.createSocket('udp4');
    const left = new Set([2 * pair, 2 * pair + 1]);
    let begun;
    const end = () => { socket.close(); if (--open === 0) { console.log(JSON.stringify({ answered, slowest })); process.exit(0); } };
    const timer = setTimeout(end, 30_000);
    socket.on('message', (message) => {
      const good = (message[3] & 15) === 0 && message.readUInt16BE(6) === 1;
      if (!good || !left.delete(message.readUInt16BE(0))) return;
      answered++;
      slowest = Math.max(slowest, performance.now() - begun);
      if (left.size === 0) { clearTimeout(timer); end(); }
    });
    socket.bind(0, '127.0.0.1', () => {
      begun = performance.now();
      socket.send(question(2 * pair, 'n' + pair + '.pairs.test', 1), 53, '127.0.0.2');
      socket.send(question(2 * pair + 1, 'n' + pair + '.pairs.test', 28), 53, '127.0.0.2');
    });
  }`;
