import { cpuLoopMs, printMachine } from './machine.ts';

/** What one bench can measure, by the words that name it on the command line. */
export type Subjects = readonly (readonly [name: string, measure: () => void])[];

/** Prints the machine and measures those that are named, or all; throws for a word that names none. */
export function runSubjects(subjects: Subjects, asked: readonly string[]): void {
  const names = subjects.map(([name]) => name);
  for (const word of asked) if (!names.includes(word)) throw new Error(`"${word}" is none of ${names.join(', ')}`);
  printMachine();
  for (const [name, measure] of subjects) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    console.log(`${name}   (fixed loop now: ${cpuLoopMs().toFixed(0)} ms)`);
    measure();
    console.log('');
  }
}
