/** Axes: where marks lie, and what is written at them. */

export interface Axis {
  readonly ticks: readonly number[];
  /** From 0 to 1. */
  place(value: number): number;
}

const STEPS = [1, 2, 5, 10] as const;

/** From 0 to a little above `most`, in steps of 1, 2 or 5 times a power of ten. */
export function linearAxis(most: number, wantedTicks = 5): Axis {
  const top = most > 0 ? most : 1;
  const power = 10 ** Math.floor(Math.log10(top / wantedTicks));
  const step = power * (STEPS.find((times) => times * power * wantedTicks >= top) ?? 10);
  const count = Math.ceil(top / step - 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
  return { ticks, place: (value) => value / (count * step) };
}

/** Logarithmic, ticks at 1, 2 and 5 times powers of ten, at powers only where it spans more than two of them. */
export function logAxis(least: number, most: number): Axis {
  const isWide = most / least > 200;
  const factors: readonly number[] = isWide ? [1] : [1, 2, 5];
  const all = powers(least, most).flatMap((power) =>
    factors.map((times) => Number((times * power).toPrecision(12))),
  );
  const low = all.findLast((tick) => tick <= least * 1.0001) ?? all[0];
  const high = all.find((tick) => tick >= most * 0.9999 && tick > low) ?? all[all.length - 1];
  const span = Math.log(high / low);
  return {
    ticks: all.filter((tick) => tick >= low && tick <= high),
    place: (value) => Math.log(value / low) / span,
  };
}

function powers(least: number, most: number): number[] {
  const first = Math.floor(Math.log10(least));
  const last = Math.ceil(Math.log10(most)) + 1;
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

/** As people write them: 64 k, 1 M, 0.5, 1,400. */
export function tickText(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
  return value >= 1000 ? value.toLocaleString('en-GB') : String(Number(value.toPrecision(3)));
}
