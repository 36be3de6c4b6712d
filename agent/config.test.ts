import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { compileCommand } from './config.ts';

const compile = (line: string, env: Record<string, string> = {}) =>
  compileCommand(
    line.split(' ').filter((part) => part !== ''),
    env,
  );

describe('the command line', () => {
  it('fills in what is not said', () => {
    expect(compile('run --data /d --node n1')).toEqual({
      kind: 'run',
      options: {
        node: 'n1',
        dataFolder: '/d',
        controller: null,
        address: '127.0.0.1',
        path: ['default', 'default', 'default'],
        labels: {},
        gpus: { count: 0, model: 'H100', slots: [] },
        workFolder: '/d/work',
        cgroups: 'auto',
        runAs: null,
        logLevel: 'info',
      },
    });
  });

  it('takes every flag', () => {
    const line =
      'run --data /d --node n1 --controller c:1 --address 10.0.0.1 --topology zone=z1,block=b1,rack=r1 --label a=b --label c=d=e --gpus 2 --gpu-model A100 --gpu-slots 3g.40gb,1g.10gb=2 --work-dir /w --cgroups off --run-as nobody --log-level debug';
    expect(compile(line)).toEqual({
      kind: 'run',
      options: {
        node: 'n1',
        dataFolder: '/d',
        controller: 'c:1',
        address: '10.0.0.1',
        path: ['z1', 'b1', 'r1'],
        labels: { a: 'b', c: 'd=e' },
        gpus: { count: 2, model: 'A100', slots: ['3g.40gb', '1g.10gb', '1g.10gb'] },
        workFolder: '/w',
        cgroups: 'off',
        runAs: 'nobody',
        logLevel: 'debug',
      },
    });
  });

  it('reads a file, and a flag wins over it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'shoal-config-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'agent.json');
    writeFileSync(path, JSON.stringify({ data: '/d', node: 'n1', gpus: 4, label: ['a=b'] }));
    expect(compile(`run --config ${path} --node n2`)).toMatchObject({ options: { node: 'n2', gpus: { count: 4 }, labels: { a: 'b' } } });
    writeFileSync(path, '{"gpu": 4}');
    expect(() => compile(`run --config ${path}`)).toThrow(/unknown key "gpu"; known are/);
  });

  it('takes the join token from the environment when no file is named', () => {
    expect(compile('join --data /d --node n1 --controller c:1', { SHOAL_JOIN_TOKEN: 't' })).toMatchObject({
      options: { token: { kind: 'environment', text: 't' } },
    });
    expect(compile('join --data /d --node n1 --controller c:1 --token-file -')).toMatchObject({ options: { token: { kind: 'stdin' } } });
  });

  it.each([
    ['dance', /"dance" is no command/],
    ['run --node n1', /--data is missing/],
    ['run --data /d', /--node is missing/],
    ['run --data /d --node N_1', /--node "N_1" is no name/],
    ['run --data /d --node n1 --gpus two', /--gpus "two"/],
    ['run --data /d --node n1 --topology rack=r1', /wanted is zone=NAME,block=NAME,rack=NAME/],
    ['run --data /d --node n1 --cgroups maybe', /--cgroups "maybe" is none of auto, off/],
    ['run --data /d --node n1 --label x', /--label "x" is not KEY=VALUE/],
    ['run --data /d --node n1 --colour red', /--colour/],
    ['join --data /d --node n1 --controller c:1', /--token-file is missing, and so is SHOAL_JOIN_TOKEN/],
  ])('refuses "%s"', (line, message) => {
    expect(() => compile(line)).toThrow(message);
  });
});
