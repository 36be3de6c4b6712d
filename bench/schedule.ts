/**
 * The scheduling core beside the figures that others publish.
 *   node bench/schedule.ts [fill|gangs|verdict|reclaim|victims|decide|backfill|growth|why]…
 * Ours are of the core alone, in this process: no API, no store, no agents. Where a peer's figure includes an API server
 * the row says so; bench/submit.ts measures ours through the API and the durable store.
 */
import { measureBackfill } from './schedule/backfill.ts';
import { measureDecide } from './schedule/decide.ts';
import { measureFill } from './schedule/fill.ts';
import { measureGangs } from './schedule/gangs.ts';
import { measureGrowth } from './schedule/growth.ts';
import { measureReclaim, measureVictims } from './schedule/reclaim.ts';
import { measureVerdict } from './schedule/verdict.ts';
import { measureWhy } from './schedule/why.ts';
import type { Subjects } from './subjects.ts';
import { runSubjects } from './subjects.ts';

const subjects: Subjects = [
  ['fill', measureFill],
  ['gangs', measureGangs],
  ['verdict', measureVerdict],
  ['reclaim', measureReclaim],
  ['victims', measureVictims],
  ['decide', measureDecide],
  ['growth', measureGrowth],
  ['backfill', measureBackfill],
  ['why', measureWhy],
];

runSubjects(subjects, process.argv.slice(2));
