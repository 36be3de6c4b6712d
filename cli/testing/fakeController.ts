/** Stands in for controller/main.ts where `shoal up` is tested: a control double in a process of its own. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startControlDouble, token } from './controlDouble.ts';
import { nodeWith } from './objects.ts';

const { values } = parseArgs({ options: { data: { type: 'string' }, listen: { type: 'string' }, 'agent-listen': { type: 'string' } } });
if (values.listen === '127.0.0.1:1') {
  process.stderr.write('cannot listen on 127.0.0.1:1\n');
  process.exit(1);
}
const server = await startControlDouble();
server.canned.resources = ['node-1', 'node-2', 'node-3'].map((name) => nodeWith(name, { state: 'Ready', connected: true }));
const contextFile = join(values.data ?? '.', 'context.json');
await writeFile(contextFile, JSON.stringify({ server: server.address, caPem: server.caPem, token, clusterId: 'c1' }), { mode: 0o600 });
process.stdout.write('{"level":"info","msg":"a log line"}\n');
process.stdout.write(`${JSON.stringify({ ready: true, control: server.address, agents: '127.0.0.1:7071', contextFile })}\n`);
process.on('SIGTERM', () => {
  process.stdout.write('controller stopped\n');
  server.close();
});
