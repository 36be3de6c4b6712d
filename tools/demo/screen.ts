/**
 * Lines that stay, and below them a block that is drawn anew. Without a terminal the block is not drawn; its summary is
 * written as a plain line each few seconds instead.
 */
export interface Screen {
  /** A line that stays. */
  say(line: string): void;
  /** What is true now. */
  show(now: Block): void;
  /** Leaves the block as it is and writes below it from now on. */
  settle(): void;
}

export interface Block {
  readonly lines: readonly string[];
  /** The same in one line. */
  readonly summary: string;
}

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const plainPeriodMs = 5000;
/** Of a terminal that does not say, or says 0. */
const assumedColumns = 100;

export function makeScreen(out: Terminal, now: () => number): Screen {
  return out.isTTY === true ? terminalScreen(out) : plainScreen(out, now);
}

function terminalScreen(out: Terminal): Screen {
  let drawn: readonly string[] = [];
  const erase = (): string => (drawn.length === 0 ? '' : `\x1b[${drawn.length}A\x1b[J`);
  // A line that wraps would take two rows, and the next erasing would miss one.
  const cut = (line: string): string => line.slice(0, (out.columns || assumedColumns) - 1);
  const draw = (lines: readonly string[]): string => lines.map((line) => `${cut(line)}\n`).join('');
  return {
    say: (line) => out.write(`${erase()}${line}\n${draw(drawn)}`),
    show: ({ lines }) => {
      out.write(`${erase()}${draw(lines)}`);
      drawn = lines;
    },
    settle: () => {
      drawn = [];
    },
  };
}

function plainScreen(out: Terminal, now: () => number): Screen {
  let lastMs = Number.NEGATIVE_INFINITY;
  let last = '';
  return {
    say: (line) => out.write(`${line}\n`),
    show: ({ summary }) => {
      if (summary === last || now() - lastMs < plainPeriodMs) return;
      lastMs = now();
      last = summary;
      out.write(`${summary}\n`);
    },
    settle: () => undefined,
  };
}
