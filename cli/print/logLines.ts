import type { LogsResponse } from '#gen/shoal/v1/control_pb.js';

/** Turns pieces of logs into text. With a prefix each line says where it is from; ranks are told apart to the line. */
export interface LogPrinter {
  print(piece: Pick<LogsResponse, 'rank' | 'node' | 'stream' | 'data'>): string;
  /** What was held back: the ends of a character or a line that never came. */
  rest(): string;
}

interface Source {
  readonly decoder: TextDecoder;
  readonly prefix: string;
  atLineStart: boolean;
}

/** Pieces hold whole lines by contract; a character that is cut nevertheless is put together again. */
export function makeLogPrinter(prefixed: boolean): LogPrinter {
  const sources = new Map<string, Source>();
  const sourceOf = ({ rank, node, stream }: Pick<LogsResponse, 'rank' | 'node' | 'stream'>): Source => {
    const key = `${rank}/${node}/${stream}`;
    const known = sources.get(key);
    if (known !== undefined) return known;
    const source = { decoder: new TextDecoder(), prefix: prefixed ? `[${node}/r${rank}] ` : '', atLineStart: true };
    sources.set(key, source);
    return source;
  };
  return {
    print: (piece) => {
      const source = sourceOf(piece);
      return withPrefix(source, source.decoder.decode(piece.data, { stream: true }));
    },
    rest: () => [...sources.values()].map((source) => endOf(source, prefixed)).join(''),
  };
}

function withPrefix(source: Source, text: string): string {
  if (text === '') return '';
  const begun = source.atLineStart ? source.prefix : '';
  source.atLineStart = text.endsWith('\n');
  const body = source.atLineStart ? text.slice(0, -1) : text;
  return begun + (source.prefix === '' ? body : body.replaceAll('\n', `\n${source.prefix}`)) + (source.atLineStart ? '\n' : '');
}

function endOf(source: Source, prefixed: boolean): string {
  const tail = source.decoder.decode();
  return tail + (prefixed && !source.atLineStart ? '\n' : '');
}
