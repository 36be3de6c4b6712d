/** What is done to jobs by name alone. */
export const jobVerbs = ['suspend', 'resume', 'hold', 'release', 'next'] as const;
export type JobVerb = (typeof jobVerbs)[number];
