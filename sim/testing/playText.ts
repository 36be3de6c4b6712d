import { makeReport, type Report } from '../report/report.ts';
import { parseScenario } from '../scenario/parseScenario.ts';
import { playScenario } from '../world/playScenario.ts';

/** Plays a scenario's text; throws what the parser says. */
export function playText(text: string): Report {
  const parsed = parseScenario(text, 'test.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return makeReport(parsed.scenario, playScenario(parsed.scenario), { timings: false });
}

interface Parts {
  /** Nodes n1, n2, …, two a rack. */
  readonly nodes?: number;
  readonly cluster?: string;
  readonly timeline: readonly string[];
  readonly rest?: string;
}

/** A small cluster of 4 GPUs a node, H100. */
export function scenarioText({ nodes = 2, cluster = '', timeline, rest = '' }: Parts): string {
  const rows = Array.from({ length: nodes }, (_, at) => `    - {name: n${at + 1}, path: [z1, b1, r${Math.floor(at / 2) + 1}], gpus: 4}`);
  return [
    'apiVersion: shoal.dev/v1',
    'kind: Scenario',
    'metadata: {name: test}',
    'cluster:',
    '  nodes:',
    ...rows,
    ...(cluster === '' ? [] : [`  ${cluster}`]),
    'timeline:',
    ...timeline.map((entry) => `  - ${entry}`),
    rest,
  ].join('\n');
}

/** A timeline entry that applies a job. */
export function job(
  name: string,
  { at = '0s', spec = '', run = '', more = '' }: { at?: string; spec?: string; run?: string; more?: string } = {},
): string {
  const manifest = `{apiVersion: shoal.dev/v1, kind: TrainingJob, metadata: {name: ${name}}, spec: {${spec}}}`;
  return `{at: ${at}, apply: ${manifest}${run === '' ? '' : `, run: {${run}}`}${more === '' ? '' : `, ${more}`}}`;
}

/** What happened to each attempt, in one line: `1: 5000-60000 NodeFailure on n1,n2 from 0`. */
export function attemptsOf(report: Report, name: string): readonly string[] {
  return (report.workloads[`job/${name}`]?.attempts ?? []).map((attempt) => {
    const nodes = [...new Set(attempt.placement.map(({ node }) => node))].join(',');
    return `${attempt.number}: ${attempt.startedAt ?? ''}-${attempt.endedAt ?? ''} ${attempt.stopReasons.join('+')} on ${nodes} from ${attempt.resumedFromStep}`;
  });
}
