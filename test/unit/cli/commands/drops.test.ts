/** `podwire drops` where policies have refused something. */
import { describe, expect, it } from 'vitest';
import type { DropsAnswer, RecentDrop, RecentDropsAnswer } from '../../../../src/control/api/drop-types.js';
import { fakeApi, podwire } from '../support.js';

const RECENT: RecentDrop = {
  time: '2020-01-02T03:04:05.678Z',
  direction: 'ingress',
  port: 'shop/db',
  protocol: 'tcp',
  source: { address: '10.244.0.3', port: 40_000, pod: 'shop/web' },
  destination: { address: 'fd00::4', port: 80, pod: null },
  rule: 'no rule of NetworkPolicy shop/db',
  note: null,
};

describe('podwire drops', () => {
  it('has a second table, of rules', async () => {
    const answer: DropsAnswer = {
      total: 7,
      drops: [{ reason: 'policy-ingress', meaning: 'refused', port: 'shop/db', count: 7 }],
      rules: [{ count: 7, direction: 'ingress', rule: 'no rule of NetworkPolicy shop/db', note: null }],
    };
    const { socket } = await fakeApi({ 'GET /v1/drops': { body: answer } });
    expect((await podwire('drops', '--socket', socket)).out).toBe(
      'COUNT   REASON           PORT      MEANING\n' +
        '    7   policy-ingress   shop/db   refused\n' +
        '\n' +
        'COUNT   DIRECTION   RULE\n' +
        '    7   ingress     no rule of NetworkPolicy shop/db\n',
    );
    expect(JSON.parse((await podwire('drops', '-o', 'json', '--socket', socket)).out)).toEqual(answer);
  });

  it('lists the last packets, the latest at the end', async () => {
    const later = {
      ...RECENT,
      time: new Date().toISOString(),
      protocol: null,
      source: null,
      destination: null,
    };
    const answer: RecentDropsAnswer = { drops: [later, RECENT] };
    const { socket } = await fakeApi({
      'GET /v1/drops/recent?limit=20': { body: answer },
      'GET /v1/drops/recent?limit=5': { body: { drops: [] } },
    });
    const [head, first, second] = (await podwire('drops', '--recent', '--socket', socket)).out.split('\n');
    expect(head).toMatch(/^TIME +FROM +TO +PROTO +DIRECTION +RULE$/);
    expect(first).toMatch(
      /^2020-01-0[123] \d\d:\d\d:05\.678 {3}shop\/web:40000 {3}\[fd00::4\]:80 {3}tcp +ingress +no rule of /,
    );
    expect(second).toMatch(/^\d\d:\d\d:\d\d\.\d{3} .* - +- +not IP/);
    const wide = (await podwire('drops', '--recent', '-o', 'wide', '--socket', socket)).out;
    expect(wide).toContain('10.244.0.3:40000');
    const none = await podwire('drops', '--recent', '--limit', '5', '--socket', socket);
    expect(none.out).toBe('policies have refused nothing\n');
  });

  it.each([
    [['--limit', '5']],
    [['--recent', '--limit', '0']],
    [['--recent', '--limit', 'x']],
    [['-o', 'wide']],
  ])('refuses %j', async (words) => {
    expect((await podwire('drops', ...words, '--socket', '/nonexistent')).status).toBe(2);
  });
});
