/**
 * Names of things, as branded strings and integers: a node's name cannot be passed where a job's uid is meant.
 * Each brand is made by its constructor here and nowhere else.
 */
declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Differs between two jobs that bore the same name. */
export type JobUid = Brand<string, 'JobUid'>;
export type JobName = Brand<string, 'JobName'>;
export type NodeName = Brand<string, 'NodeName'>;
export type QueueName = Brand<string, 'QueueName'>;
export type UserName = Brand<string, 'UserName'>;
export type ReservationName = Brand<string, 'ReservationName'>;
/** Position of an event in the log; the first is 1, 0 is before all. */
export type Revision = Brand<number, 'Revision'>;
/** Grows by one with each leader. */
export type Epoch = Brand<number, 'Epoch'>;
/** Grows by one with each change of one node's desired set. */
export type Generation = Brand<number, 'Generation'>;

export const jobUid = (value: string): JobUid => value as JobUid;
export const jobName = (value: string): JobName => value as JobName;
export const nodeName = (value: string): NodeName => value as NodeName;
export const queueName = (value: string): QueueName => value as QueueName;
export const userName = (value: string): UserName => value as UserName;
export const reservationName = (value: string): ReservationName => value as ReservationName;
export const revision = (value: number): Revision => value as Revision;
export const epoch = (value: number): Epoch => value as Epoch;
export const generation = (value: number): Generation => value as Generation;

/** Names of objects: what a DNS label allows, and dots; 1..63 characters. */
export const namePattern = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;
