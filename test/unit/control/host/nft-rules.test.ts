/** podwire's table, judged by nft in a namespace of its own; without it, by its shape only. */
import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { readListing } from '../../../../src/control/host/nft.js';
import { type Elements, noElements } from '../../../../src/control/host/nft-elements.js';
import {
  NO_RULES,
  REMOVE_RULES,
  renderRules,
  type WantedRules,
} from '../../../../src/control/host/nft-rules.js';

const WANTED: WantedRules = {
  nodeFrontends: ['10.96.255.254', 'fd00:10:96::ffff'],
  masqueraded: ['10.244.0.0/24', '10.80.0.0/24', 'fd00:10:244::/64'],
  direct: ['10.244.0.0/16', '10.96.0.0/16', 'fd00:10:244::/48'],
};

function someElements(): Elements {
  const elements = noElements();
  elements.node_ports4.add('tcp . 30080');
  elements.node_ports4.add('sctp . 30081');
  elements.node_ports6.add('udp . 30053');
  elements.addresses4.add('192.0.2.1 . tcp . 80', '10.96.255.253 . 80');
  elements.addresses6.add('2001:db8::1 . udp . 53', 'fd00:10:96::fffe . 1053');
  return elements;
}

/** What a kernel that was given these commands has then. */
function kernelAfter(...commands: string[]) {
  const script = [...commands.map((_, i) => `printf %s "$${i + 1}" | nft -f -`), 'nft -j list ruleset'].join(
    ' && ',
  );
  const words = ['-n', 'sh', '-c', script, 'sh', ...commands];
  return readListing(execFileSync('unshare', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }));
}

const missing =
  process.getuid?.() !== 0
    ? 'root'
    : spawnSync('unshare', ['-n', 'nft', 'list', 'ruleset']).status === 0
      ? undefined
      : 'the program nft';

describe('podwire’s table', () => {
  it('replaces the one before in one transaction', () => {
    const text = renderRules(WANTED, someElements());
    expect(text.split('\n').slice(0, 3)).toEqual([
      'table inet podwire',
      'delete table inet podwire',
      'table inet podwire {',
    ]);
  });

  it('tells what is different, and nothing of what came and went again', () => {
    const elements = someElements();
    renderRules(WANTED, elements);
    elements.node_ports4.add('tcp . 30080');
    elements.node_ports4.add('tcp . 30099');
    elements.node_ports4.remove('tcp . 30099');
    expect(elements.node_ports4.takeChanges()).toEqual([]);
    elements.node_ports4.remove('tcp . 30080');
    elements.addresses4.add('192.0.2.1 . tcp . 80', '10.96.255.253 . 1024');
    expect(elements.node_ports4.takeChanges()).toEqual([
      'delete element inet podwire node_ports4 { tcp . 30080 }',
    ]);
    expect(elements.addresses4.takeChanges()).toEqual([
      'delete element inet podwire addresses4 { 192.0.2.1 . tcp . 80 : 10.96.255.253 . 80 }',
      'add element inet podwire addresses4 { 192.0.2.1 . tcp . 80 : 10.96.255.253 . 1024 }',
    ]);
    expect(elements.addresses4.takeChanges()).toEqual([]);
  });
});

describe.skipIf(missing !== undefined)(
  `podwire’s table in the kernel${missing ? ` (needs ${missing})` : ''}`,
  () => {
    it.each([
      ['full', WANTED],
      ['without anything', NO_RULES],
      ['of one family', { ...NO_RULES, nodeFrontends: ['10.96.255.254'] }],
      [
        'of prefixes within one another',
        { ...NO_RULES, masqueraded: ['10.0.0.0/8', '10.1.0.0/16', '10.1.0.0/16'] },
      ],
    ])('is accepted %s', (_name, wanted) => {
      const { rules } = kernelAfter(renderRules(wanted, someElements()));
      expect(rules).toContain('"masqueraded4"');
    });

    it('has the elements that are wanted, however they came there', () => {
      const elements = someElements();
      const first = renderRules(WANTED, elements);
      for (let port = 20_000; port < 22_000; port++) elements.node_ports6.add(`tcp . ${port}`);
      elements.node_ports6.remove('udp . 30053');
      elements.addresses4.add('192.0.2.1 . tcp . 80', '10.96.255.253 . 1024');
      const changes = Object.values(elements).flatMap((set) => set.takeChanges());
      expect(changes.length).toBeGreaterThan(6);
      const listing = kernelAfter(first, `${changes.join('\n')}\n`);
      expect(elements.node_ports6.size).toBe(2000);
      for (const set of Object.values(elements)) expect(set.accepts(listing.elements[set.name])).toBe(true);
      const other = kernelAfter(first, 'add element inet podwire node_ports4 { tcp . 1 }');
      expect(elements.node_ports4.accepts(other.elements.node_ports4)).toBe(false);
      expect(elements.node_ports6.accepts(other.elements.node_ports6)).toBe(false);
    });

    it('is listed alike after it was made again, and otherwise after a rule was edited', () => {
      const text = () => renderRules(WANTED, someElements());
      const once = kernelAfter(text()).rules;
      expect(kernelAfter(text(), text()).rules).toBe(once);
      expect(kernelAfter(text(), 'add rule inet podwire services tcp dport 22 drop').rules).not.toBe(once);
      expect(kernelAfter(text(), 'flush chain inet podwire leaving').rules).not.toBe(once);
      expect(kernelAfter(text(), 'add element inet podwire direct4 { 192.0.2.0/24 }').rules).not.toBe(once);
    });

    it('goes without a trace, and removing what is not there is no error', () => {
      expect(kernelAfter(renderRules(WANTED, someElements()), REMOVE_RULES).rules).toBe('[]');
      expect(kernelAfter(REMOVE_RULES).rules).toBe('[]');
    });
  },
);
