/** Progress on standard error: one line that is written over on a terminal, plain lines elsewhere. */
export class Progress {
  private readonly isTerminal = process.stderr.isTTY === true;

  constructor(private readonly isQuiet: boolean) {}

  say(text: string): void {
    if (this.isQuiet) return;
    process.stderr.write(this.isTerminal ? `\r\u001b[K${text}` : `${text}\n`);
  }

  done(): void {
    if (this.isTerminal && !this.isQuiet) process.stderr.write('\r\u001b[K');
  }
}
