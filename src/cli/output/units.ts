/** Quantities for people. Tables use these; JSON always has the exact numbers. */

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Octets with a binary prefix and about three digits: `0 B`, `1.46 KiB`, `64.0 MiB`. */
export function formatBytes(octets: number): string {
  let value = octets;
  let unit = 0;
  while (value >= 1023.5 && unit < BINARY.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : threeDigits(value)} ${BINARY[unit]}`;
}

/** A duration in milliseconds as kubectl shows ages: the largest unit, or two of them: `42s`, `5m10s`, `3h`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return joined(minutes, 'm', seconds % 60, 's');
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return joined(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 8 ? joined(days, 'd', hours % 24, 'h') : `${days}d`;
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

/** A time in microseconds: `38 µs`, `1.25 ms`, `2.10 s`. */
export function formatMicros(micros: number): string {
  if (micros < 999.5) return `${Math.round(micros)} µs`;
  if (micros < 999_500) return `${threeDigits(micros / 1000)} ms`;
  return `${threeDigits(micros / 1e6)} s`;
}

/** Bits a second with a decimal prefix, as networks count them: `12.4 Gbit/s`. */
export function formatBitRate(bitsPerSecond: number): string {
  if (bitsPerSecond >= 999.5e6) return `${threeDigits(bitsPerSecond / 1e9)} Gbit/s`;
  if (bitsPerSecond >= 999.5e3) return `${threeDigits(bitsPerSecond / 1e6)} Mbit/s`;
  return `${threeDigits(bitsPerSecond / 1e3)} kbit/s`;
}

/** `1 pod`, `3 pods`, `2 addresses`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}
