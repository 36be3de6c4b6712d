import type { GpuHealth } from '#vocabulary/observed.ts';

/** One request at the control socket. */
export type FaultCommand =
  | { readonly kind: 'xid'; readonly gpu: number; readonly code: number }
  | { readonly kind: 'gpu-lost'; readonly gpu: number }
  | { readonly kind: 'heal'; readonly gpu: number };

export type ParsedCommand = { readonly ok: true; readonly command: FaultCommand } | { readonly ok: false; readonly reason: string };

/** Words of NVIDIA's Xid catalogue for those that take a device out; others are told by number. */
const xidMessages: ReadonlyMap<number, string> = new Map([
  [48, 'double bit ECC error'],
  [63, 'ECC page retirement or row remapping'],
  [64, 'ECC page retirement or row remapping failed'],
  [74, 'NVLink error'],
  [79, 'GPU has fallen off the bus'],
  [92, 'high single bit ECC error rate'],
  [94, 'contained ECC error'],
  [95, 'uncontained ECC error'],
  [119, 'GSP RPC timeout'],
  [120, 'GSP error'],
]);

/** Raised by a faulty program on a device that is well: not a fault of a device. */
const applicationXids: ReadonlySet<number> = new Set([13, 31, 43, 45]);
/** No longer answers: it has no readings. */
const deadXids: ReadonlySet<number> = new Set([79, 119, 120]);

export function parseFaultCommand(body: unknown, count: number): ParsedCommand {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return refuse('the body must be a JSON object');
  const fields = new Map<string, unknown>(Object.entries(body));
  const unknown = [...fields.keys()].find((name) => !['gpu', 'fault', 'code', 'heal'].includes(name));
  if (unknown !== undefined) return refuse(`field ${JSON.stringify(unknown)} is not known; known are gpu, fault, code, heal`);
  const gpu = fields.get('gpu');
  if (typeof gpu !== 'number' || !Number.isInteger(gpu) || gpu < 0 || gpu >= count) {
    return refuse(`gpu must be the index of a device, 0 to ${count - 1}, not ${JSON.stringify(gpu) ?? 'missing'}`);
  }
  return fields.has('heal') ? parseHeal(gpu, fields) : parseFault(gpu, fields);
}

function parseHeal(gpu: number, fields: ReadonlyMap<string, unknown>): ParsedCommand {
  if (fields.get('heal') !== true) return refuse('heal must be true');
  if (fields.has('fault') || fields.has('code')) return refuse('heal and fault exclude each other');
  return { ok: true, command: { kind: 'heal', gpu } };
}

function parseFault(gpu: number, fields: ReadonlyMap<string, unknown>): ParsedCommand {
  const fault = fields.get('fault');
  const code = fields.get('code');
  if (fault === 'gpu-lost')
    return code === undefined ? { ok: true, command: { kind: 'gpu-lost', gpu } } : refuse('code belongs to fault "xid" only');
  if (fault !== 'xid') return refuse(`fault must be "xid" or "gpu-lost", not ${JSON.stringify(fault) ?? 'missing'}`);
  if (typeof code !== 'number' || !Number.isInteger(code) || code < 1 || code > 999)
    return refuse('code must be the number of an Xid, 1 to 999');
  if (applicationXids.has(code)) return refuse(`Xid ${code} is raised by programs and leaves the device healthy; it is not simulated`);
  return { ok: true, command: { kind: 'xid', gpu, code } };
}

/** What the device's health is after the command. */
export function healthAfter(command: FaultCommand): GpuHealth {
  switch (command.kind) {
    case 'heal':
      return { index: command.gpu, healthy: true, code: '', message: '' };
    case 'gpu-lost':
      return { index: command.gpu, healthy: false, code: 'gpu-lost', message: 'the device is gone from the bus' };
    case 'xid': {
      const words = xidMessages.get(command.code);
      return {
        index: command.gpu,
        healthy: false,
        code: `xid:${command.code}`,
        message: `Xid ${command.code}${words === undefined ? '' : `: ${words}`}`,
      };
    }
  }
}

/** Whether a device with this health still answers questions. */
export function hasReadings(health: GpuHealth): boolean {
  if (health.code === 'gpu-lost') return false;
  const xid = /^xid:(\d+)$/.exec(health.code)?.[1];
  return xid === undefined || !deadXids.has(Number(xid));
}

function refuse(reason: string): ParsedCommand {
  return { ok: false, reason };
}
