import type { Command } from 'commander';
import type { Act } from './command.ts';

/** Gives the program a command with its flags and help. */
export type AddCommand = (program: Command, act: Act) => void;

export interface CommandSource {
  /** The commands that it adds, in their order. */
  readonly verbs: readonly string[];
  readonly load: () => Promise<AddCommand>;
}

/** Where each command is said, in the order of the help. A start reads only the file of the command that was typed. */
export const commandSources: readonly CommandSource[] = [
  { verbs: ['up'], load: async () => (await import('./cmd/up/command.ts')).addUpCommand },
  { verbs: ['agent'], load: async () => (await import('./cmd/agent/command.ts')).addAgentCommands },
  { verbs: ['get'], load: async () => (await import('./cmd/get/command.ts')).addGetCommand },
  { verbs: ['describe'], load: async () => (await import('./cmd/describe/command.ts')).addDescribeCommand },
  { verbs: ['why'], load: async () => (await import('./cmd/why/command.ts')).addWhyCommand },
  { verbs: ['logs'], load: async () => (await import('./cmd/logs/command.ts')).addLogsCommand },
  { verbs: ['events'], load: async () => (await import('./cmd/events/command.ts')).addEventsCommand },
  { verbs: ['ledger'], load: async () => (await import('./cmd/ledger/command.ts')).addLedgerCommand },
  { verbs: ['wait'], load: async () => (await import('./cmd/wait/command.ts')).addWaitCommand },
  { verbs: ['run'], load: async () => (await import('./cmd/run/command.ts')).addRunCommand },
  { verbs: ['plan'], load: async () => (await import('./cmd/plan/command.ts')).addPlanCommand },
  { verbs: ['what-if'], load: async () => (await import('./cmd/whatIf/command.ts')).addWhatIfCommand },
  { verbs: ['apply'], load: async () => (await import('./cmd/apply/command.ts')).addApplyCommand },
  { verbs: ['delete'], load: async () => (await import('./cmd/delete/command.ts')).addDeleteCommand },
  {
    verbs: ['suspend', 'resume', 'hold', 'release', 'next', 'priority'],
    load: async () => (await import('./cmd/job/command.ts')).addJobCommands,
  },
  { verbs: ['cordon', 'uncordon', 'drain'], load: async () => (await import('./cmd/node/command.ts')).addNodeCommands },
  { verbs: ['defrag'], load: async () => (await import('./cmd/defrag/command.ts')).addDefragCommand },
  { verbs: ['sim'], load: async () => (await import('./cmd/sim/command.ts')).addSimCommands },
  { verbs: ['config'], load: async () => (await import('./cmd/config/command.ts')).addConfigCommands },
  { verbs: ['version'], load: async () => (await import('./cmd/version/command.ts')).addVersionCommand },
  { verbs: ['help'], load: async () => (await import('./cmd/help/command.ts')).addHelpCommand },
];

/** `help` speaks of all commands, and so does the answer to a first word that is none (flags, a typing error, nothing). */
export function sourcesFor(words: readonly string[]): readonly CommandSource[] {
  const [first = ''] = words;
  const one = commandSources.find(({ verbs }) => verbs.includes(first));
  return one === undefined || first === 'help' ? commandSources : [one];
}
