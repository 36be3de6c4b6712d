import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ChangeSchema } from '#gen/shoal/v1/control_pb.js';
import { CliError } from '../../cliError.ts';
import { exitCodes } from '../../exitCodes.ts';
import { textFlag, textsFlag, type Flags } from '../../flags.ts';

/** A change, and the words that asked for it: an answer about it names them. */
export interface AskedChange {
  readonly words: string;
  readonly change: MessageInitShape<typeof ChangeSchema>;
}

/** In the order of the flags' names, and of each flag as given. Throws what is no change at all; what there is in the cluster the server knows. */
export function compileChangeFlags(flags: Flags): readonly AskedChange[] {
  const domain = textFlag(flags, 'in');
  const added = textsFlag(flags, 'addNodes');
  if (domain !== null && added.length === 0) throw wrong('--in', domain, 'it says where nodes of --add-nodes stand; none are added');
  return [
    ...added.map((text) => addNodes(text, domain)),
    ...(['lose', 'drain', 'cordon'] as const).flatMap((how) =>
      textsFlag(flags, how).map((value): AskedChange => ({ words: `--${how} ${value}`, change: { change: { case: how, value } } })),
    ),
    ...textsFlag(flags, 'queue').map(quota),
    ...textsFlag(flags, 'next').map((value): AskedChange => ({ words: `--next ${value}`, change: { change: { case: 'next', value } } })),
  ];
}

function addNodes(text: string, domain: string | null): AskedChange {
  // A model may have an x in its name, so the first and the last one divide.
  const [, count, gpuModel, gpus] = /^(\d{1,6})x(.+)x(\d{1,3})$/.exec(text) ?? [];
  if (count === undefined || gpuModel === undefined || gpus === undefined)
    throw wrong('--add-nodes', text, 'it is of the form NODESxMODELxGPUS, e.g. 4xH100x8');
  const value = { count: Number(count), gpuModel, gpus: Number(gpus), domain: domain ?? '' };
  return { words: `--add-nodes ${text}`, change: { change: { case: 'addNodes', value } } };
}

/** `research.limit=64`, `research.limit.H100=none`, `research.weight=2`. A queue's name has no dot. */
function quota(text: string): AskedChange {
  const [, queue, field, gpuModel = '', amount] = /^([^.=]+)\.([^.=]+)(?:\.([^=]+))?=(.+)$/.exec(text) ?? [];
  if (queue === undefined || field === undefined || amount === undefined)
    throw wrong('--queue', text, 'it is of the form NAME.FIELD=VALUE or NAME.FIELD.MODEL=VALUE, e.g. research.limit.H100=64');
  if (!['limit', 'guaranteed', 'weight'].includes(field)) throw wrong('--queue', text, `"${field}" is none of limit, guaranteed, weight`);
  const number = Number(amount);
  if (amount !== 'none' && !(number >= 0 && Number.isFinite(number)))
    throw wrong('--queue', text, `"${amount}" is neither a number of 0 or more nor none`);
  const value = { queue, field, gpuModel, ...(amount === 'none' ? {} : { amount: number }) };
  return { words: `--queue ${text}`, change: { change: { case: 'quota', value } } };
}

const wrong = (flag: string, text: string, why: string): CliError => new CliError(exitCodes.usage, `error: ${flag} "${text}": ${why}`);
