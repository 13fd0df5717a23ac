import { describe, expect, it } from 'vitest';
import { renderFindings } from '../../../../src/cli/commands/doctor.js';
import { kernel, nodeVersion } from '../../../../src/cli/doctor/machine.js';
import { overlap } from '../../../../src/cli/doctor/network.js';
import { paletteFor } from '../../../../src/cli/output/style.js';
import { parseCidr } from '../../../../src/wire/address.js';

describe('nodeVersion', () => {
  it.each(['20.19.0', '20.20.2', '22.12.0', '22.99.1'])('%s will do', (version) => {
    expect(nodeVersion(version).state).toBe('ok');
  });

  it.each(['18.20.0', '20.18.3', '21.7.0', '22.11.9', '23.0.0', '24.1.0'])('%s will not', (version) => {
    expect(nodeVersion(version)).toMatchObject({ state: 'failed', found: version });
  });
});

it.each([
  ['6.18.44-cloud', 'ok'],
  ['6.1.0', 'ok'],
  ['7.0.0', 'ok'],
  ['6.0.19', 'warning'],
  ['5.15.0-91-generic', 'warning'],
])('Linux %s: %s', (version, state) => {
  expect(kernel(version).state).toBe(state);
});

it.each([
  ['10.244.0.0/16', '10.244.3.0/24', true],
  ['10.244.3.7/32', '10.244.0.0/16', true],
  ['10.244.0.0/16', '10.245.0.0/16', false],
  ['fd00:10:244::/48', 'fd00:10:244:5::/64', true],
  ['10.244.0.0/16', 'fd00:10:244::/48', false],
])('%s and %s overlap: %s', (a, b, expected) => {
  expect(overlap(parseCidr(a), parseCidr(b))).toBe(expected);
});

describe('the report', () => {
  const plain = paletteFor({ isTTY: false });

  it('has a mark for each finding, and what to do below it', () => {
    const text = renderFindings(
      [
        { name: 'Linux', state: 'ok', found: '6.18' },
        { name: 'io_uring', state: 'warning', found: 'forbidden', fix: 'poll is used' },
      ],
      plain,
      80,
    );
    expect(text).toBe(
      '  ✓ Linux      6.18\n' +
        '  ! io_uring   forbidden\n' +
        '               → poll is used\n\n' +
        'podwire can run here; 1 remark.\n',
    );
  });

  it('says so when something is missing', () => {
    const text = renderFindings([{ name: 'x', state: 'failed', found: 'no', fix: 'do' }], plain, 80);
    expect(text).toContain('  ✗ x   no\n');
    expect(text).toContain('podwire cannot run here as it is.');
  });
});

it('colours on a terminal only, and not where NO_COLOR is set', () => {
  expect(paletteFor({ isTTY: true }, {}).good('x')).toBe('\x1b[32mx\x1b[39m');
  expect(paletteFor({ isTTY: true }, { NO_COLOR: '1' }).good('x')).toBe('x');
  expect(paletteFor({ isTTY: true }, { TERM: 'dumb' }).good('x')).toBe('x');
  expect(paletteFor({}, {}).good('x')).toBe('x');
});
