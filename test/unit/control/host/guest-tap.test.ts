import { expect, it } from 'vitest';
import { tapMac } from '../../../../src/control/host/guest-tap.js';

it.each([
  ['02:70:0a:f4:00:04', 'fe:70:0a:f4:00:04'],
  ['fe:00:00:00:00:01', 'fa:00:00:00:00:01'],
])('the TAP of a guest with %s has %s: never the same, and of one station', (guest, own) => {
  expect(tapMac(guest)).toBe(own);
});
