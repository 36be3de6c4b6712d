import { describe, expect, test } from 'vitest';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { parseLine, parseSnapshot, printLine } from './logLine.ts';

describe('a line of the log', () => {
  test('has the version of its format first, and reads back as it was', () => {
    const event = { kind: 'ClusterCreated', clusterId: 'é\n"', atMs: 5 } as const;
    expect(printLine(event)).toBe('1 {"kind":"ClusterCreated","clusterId":"é\\n\\"","atMs":5}');
    expect(parseLine(printLine(event))).toEqual(event);
  });

  test.each([
    ['2 {"kind":"ClusterCreated"}', 'the log has a line of format 2; this version reads format 1: start the version that wrote it'],
    ['{"kind":"ClusterCreated"}', 'the log has a line of format ; this version reads format 1: start the version that wrote it'],
    ['1 {"kind":"JobExploded"}', 'the log has a line that is no event of this version: {"kind":"JobExploded"}'],
    ['1 {"kind":"toString"}', 'the log has a line that is no event of this version: {"kind":"toString"}'],
    ['1 null', 'the log has a line that is no event of this version: null'],
  ])('%s is refused, not guessed at', (line, message) => {
    expect(() => parseLine(line)).toThrow(expect.objectContaining({ code: 'corrupt', message }));
  });

  test.each(['1 {"kind":', '1 '])('%s is refused as corrupt too', (line) => {
    expect(() => parseLine(line)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });
});

describe('a snapshot', () => {
  test('of a fresh state reads back as it was', () => {
    const body = printSnapshot(emptyState());
    expect(printSnapshot(restoreSnapshot(parseSnapshot(body)))).toBe(body);
  });

  test.each(['{"version":7}', '{}', 'null', '[]'])('%s of another format is refused', (body) => {
    expect(() => parseSnapshot(body)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });
});
