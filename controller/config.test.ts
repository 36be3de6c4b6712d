import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig, usage } from './config.ts';

const parse = (...args: readonly string[]) => parseConfig(['--data', 'd', ...args]);

describe('what a controller is started with', () => {
  test('needs a folder only', () => {
    expect(parse()).toMatchObject({
      dataFolder: resolve('d'),
      control: { host: '127.0.0.1', port: 7070 },
      agents: { host: '127.0.0.1', port: 7071 },
      levels: ['zone', 'block', 'rack', 'node'],
      logLevel: 'info',
    });
  });

  test('takes every flag that usage names', () => {
    const config = parse(
      '--listen',
      '[::1]:0',
      '--agent-listen=0.0.0.0:65535',
      '--names',
      'a.example,10.0.0.1',
      '--levels',
      'row,node',
      '--policy',
      'policy.yaml',
      '--log-level',
      'debug',
    );
    expect(config).toMatchObject({
      control: { host: '::1', port: 0 },
      agents: { host: '0.0.0.0', port: 65_535 },
      levels: ['row', 'node'],
      policyFile: resolve('policy.yaml'),
      logLevel: 'debug',
    });
    expect(config.names.slice(1)).toEqual(['a.example', '10.0.0.1']);
    for (const flag of ['--data', '--listen', '--agent-listen', '--names', '--levels', '--policy', '--log-level'])
      expect(usage).toContain(`\n  ${flag} `);
  });
});

describe('what cannot be used is refused by the flag’s name', () => {
  test.each([
    [[], '--data: a folder is needed'],
    [['--data', ''], '--data: a folder is needed'],
    [['--data', 'd', '--listen', 'localhost'], '--listen: "localhost" is not HOST:PORT with a port of 0..65535'],
    [['--data', 'd', '--agent-listen', 'x:65536'], '--agent-listen: "x:65536" is not HOST:PORT with a port of 0..65535'],
    [['--data', 'd', '--listen', '::1:70'], '--listen: "::1:70" is not HOST:PORT with a port of 0..65535'],
    [['--data', 'd', '--levels', 'rack,rack'], '--levels: "rack,rack" must name each level once, outermost first'],
    [['--data', 'd', '--levels', ''], '--levels: "" must name each level once, outermost first'],
    [['--data', 'd', '--levels', 'Rack,node'], '--levels: "Rack" is no name'],
    [['--data', 'd', '--log-level', 'loud'], '--log-level: "loud" is none of trace, debug, info, warn, error, fatal, silent'],
  ])('%j', (args, message) => {
    expect(() => parseConfig(args)).toThrow(new ConfigError(message));
  });

  test.each([[['--data', 'd', '--port', '1']], [['--data', 'd', 'more']], [['--data']]])('%j', (args) => {
    expect(() => parseConfig(args)).toThrow(ConfigError);
  });
});
