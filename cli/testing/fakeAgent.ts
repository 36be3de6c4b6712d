/** Stands in for agent/main.ts: says what it was given and, as `run`, stays until it is told to stop. */
const [verb = '', ...flags] = process.argv.slice(2);
if (verb === 'run') {
  const alive = setInterval(() => undefined, 1000);
  process.on('SIGTERM', () => {
    process.stdout.write('agent stopped\n');
    clearInterval(alive);
  });
}
process.stdout.write(`${verb} ${flags.join(' ')} token=${process.env['SHOAL_JOIN_TOKEN'] ?? 'none'}\n`);
