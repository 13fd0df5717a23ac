/**
 * Which queues have another meaning after a new snapshot: those whose settings are new, gone or different. Control path
 * only.
 */
import type { ShapingData } from '../tables/shaping-table.js';

export function changedQueues(before: ShapingData, after: ShapingData): ReadonlySet<number> {
  const old = settingsByQueue(before);
  const current = settingsByQueue(after);
  const all = new Set([...old.keys(), ...current.keys()]);
  return new Set([...all].filter((queue) => old.get(queue) !== current.get(queue)));
}

function settingsByQueue(data: ShapingData): ReadonlyMap<number, string> {
  const { microsPerByte, burst, delay, jitter, loss } = data;
  const settings = [microsPerByte, burst, delay, jitter, loss];
  return new Map(Array.from(data.queue, (queue, row) => [queue, settings.map((of) => of[row]).join(' ')]));
}
