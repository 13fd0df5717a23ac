/**
 * From nested prefixes to disjoint ranges: the first half of building a FIB. Control path only.
 */

/** Disjoint ranges that cover all 2^32 words, in order; each reaches up to the next one's start. */
export class RangeList {
  /** First word of each range, uint32; the first is 0. */
  readonly starts: number[] = [];
  /** What holds in each range: a slot of range-tree.ts. */
  readonly answers: number[] = [];

  /** From `start` on, which is not below the last range's, this holds. Joins equal neighbours. */
  append(start: number, answer: number): void {
    const { starts, answers } = this;
    if (starts[starts.length - 1] === start) {
      starts.pop();
      answers.pop();
    }
    if (answers.length > 0 && answers[answers.length - 1] === answer) return;
    starts.push(start);
    answers.push(answer);
  }
}

/** Takes nested intervals in order of their starts, the outer before the inner, and makes a RangeList. */
export class IntervalSweep {
  private readonly list = new RangeList();
  private readonly ends: number[] = [];
  private readonly answers: number[] = [];

  /** `outside`: what holds where no interval is. */
  constructor(private readonly outside: number) {
    this.list.append(0, outside);
  }

  /** Closes what ends before `start`. Returns what then holds there. */
  advance(start: number): number {
    while (this.ends.length > 0 && this.ends[this.ends.length - 1] < start) this.close();
    return this.innermost();
  }

  /** From `start` to `end`, both included, `answer` holds, but for intervals inside that are opened later. */
  open(start: number, end: number, answer: number): void {
    this.advance(start);
    this.list.append(start, answer);
    this.ends.push(end);
    this.answers.push(answer);
  }

  finish(): RangeList {
    while (this.ends.length > 0) this.close();
    return this.list;
  }

  private close(): void {
    const end = this.ends[this.ends.length - 1];
    this.ends.pop();
    this.answers.pop();
    if (end !== 0xffff_ffff) this.list.append(end + 1, this.innermost());
  }

  private innermost(): number {
    const { answers } = this;
    return answers.length > 0 ? answers[answers.length - 1] : this.outside;
  }
}
