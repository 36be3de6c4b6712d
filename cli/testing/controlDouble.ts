/**
 * A control API with canned objects, served over real gRPC and TLS: what the CLI sends and prints is tested through
 * the wire. It keeps what it was asked, changes nothing by itself, and pushes what a test gives it to open watches.
 */
import type * as grpc from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import { ControlService, ResourceSchema, type Resource } from '#gen/shoal/v1/control_pb.js';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  ApplyResultSchema,
  ForecastResponseSchema,
  InfoResponseSchema,
  LedgerResponseSchema,
  LogsResponseSchema,
  PlanResultSchema,
  ResourceSchema as Resources,
  TableSchema,
  WatchResponseSchema,
} from '#gen/shoal/v1/control_pb.js';
import type { DefragResponseSchema } from '#gen/shoal/v1/defrag_pb.js';
import type { Handlers } from '#rpc/call.ts';
import { serverCredentials } from '#rpc/credentials.ts';
import { RpcError } from '#rpc/rpcError.ts';
import { addService, createServer, listen } from '#rpc/serve.ts';
import { metadataOf } from '../print/canonical.ts';
import { makeCertificate } from './certificate.ts';

type Init<S extends Parameters<typeof create>[0]> = MessageInitShape<S>;

/** What the server knows. Tests change it between commands. */
export interface Canned {
  resources: Init<typeof Resources>[];
  /** By kind. */
  tables: Record<string, Init<typeof TableSchema>>;
  /** Answers of Apply and Plan, by metadata.name of the document; absent: created. */
  applied: Record<string, Init<typeof ApplyResultSchema>>;
  planned: Record<string, Init<typeof PlanResultSchema>>;
  logs: Init<typeof LogsResponseSchema>[];
  info: Init<typeof InfoResponseSchema>;
  forecast: Init<typeof ForecastResponseSchema>;
  ledger: Init<typeof LedgerResponseSchema>;
  defrag: Init<typeof DefragResponseSchema>;
  /** What requests that change one thing answer. */
  changed: boolean;
  /** Sent after everything that is known, in order; a watch ends only when the caller leaves. */
  changes: Init<typeof WatchResponseSchema>[];
  /** Refuses these methods. */
  refuse: Partial<Record<string, RpcError>>;
}

export interface ControlDouble {
  readonly canned: Canned;
  readonly address: string;
  readonly caPem: string;
  /** Methods that were called, with their requests as the client sent them. */
  readonly asked: { readonly method: string; readonly request: unknown }[];
  /** Called at each request, before the answer. */
  onRequest: (method: string) => void;
  close(): void;
}

export const token = 'shoal-token.test';

export async function startControlDouble(): Promise<ControlDouble> {
  const canned: Canned = {
    resources: [],
    tables: {},
    applied: {},
    planned: {},
    logs: [],
    info: {},
    forecast: {},
    ledger: {},
    defrag: {},
    changed: true,
    changes: [],
    refuse: {},
  };
  const asked: { method: string; request: unknown }[] = [];
  const { certificatePem, keyPem } = await makeCertificate();
  const server: grpc.Server = createServer();
  const double: ControlDouble = {
    canned,
    asked,
    address: '',
    caPem: certificatePem,
    onRequest: () => undefined,
    close: () => server.forceShutdown(),
  };
  addService(
    server,
    ControlService,
    handlers(canned, (method, request) => {
      asked.push({ method, request });
      double.onRequest(method);
      const refusal = canned.refuse[method];
      if (refusal !== undefined) throw refusal;
    }),
    (_method, { metadata }) => {
      if (metadata.get('authorization') !== `Bearer ${token}`) throw new RpcError('UNAUTHENTICATED', 'the token is not known');
    },
  );
  const credentials = serverCredentials({ certificatePem, keyPem, caPem: certificatePem, requireClientCertificate: false });
  const port = await listen(server, { host: '127.0.0.1', port: 0, credentials });
  return Object.assign(double, { address: `127.0.0.1:${port}` });
}

interface Desk {
  readonly canned: Canned;
  /** Keeps the request; throws when the method is refused. */
  readonly note: (method: string, request: unknown) => void;
}

function handlers(canned: Canned, note: Desk['note']): Handlers<typeof ControlService> {
  const desk = { canned, note };
  return { ...readHandlers(desk), ...changeHandlers(desk), ...streamHandlers(desk) };
}

type Read = 'get' | 'list' | 'plan' | 'forecast' | 'ledger' | 'info';
type Streams = 'watch' | 'logs';

function readHandlers({ canned, note }: Desk): Pick<Handlers<typeof ControlService>, Read> {
  return {
    get: async (request) => {
      note('get', request);
      return { resource: named(canned, request.object?.kind ?? '', request.object?.name ?? ''), revision: 7n };
    },
    list: async (request) => {
      note('list', request);
      if (!request.table) return { resources: of(canned, request.kind, request.names), revision: 7n };
      const table = canned.tables[request.kind] ?? { columns: [{ name: 'Name' }], rows: of(canned, request.kind, []).map(rowOf) };
      const rows = (table.rows ?? []).filter((row) => request.names.length === 0 || request.names.includes(row.object?.name ?? ''));
      return { table: { columns: table.columns ?? [], rows }, revision: 7n };
    },
    plan: async (request) => {
      note('plan', request);
      return { results: request.documents.map(({ json }) => canned.planned[nameIn(json)] ?? { apply: createdResult(json) }), revision: 7n };
    },
    forecast: async (request) => {
      note('forecast', request);
      return canned.forecast;
    },
    ledger: async (request) => {
      note('ledger', request);
      return canned.ledger;
    },
    info: async (request) => {
      note('info', request);
      return canned.info;
    },
  };
}

function changeHandlers({ canned, note }: Desk): Omit<Handlers<typeof ControlService>, Read | Streams> {
  const changed = async (method: string, kind: string, name: string, request: unknown): Promise<{ changed: boolean }> => {
    note(method, request);
    named(canned, kind, name);
    return { changed: canned.changed };
  };
  return {
    apply: async (request) => {
      note('apply', request);
      return { results: request.documents.map(({ json }) => canned.applied[nameIn(json)] ?? createdResult(json)) };
    },
    delete: async (request) => {
      note('delete', request);
      return { uid: metadataOf(named(canned, request.object?.kind ?? '', request.object?.name ?? ''))?.uid ?? '' };
    },
    suspend: (request) => changed('suspend', 'TrainingJob', request.job, request),
    resume: (request) => changed('resume', 'TrainingJob', request.job, request),
    hold: (request) => changed('hold', 'TrainingJob', request.job, request),
    release: (request) => changed('release', 'TrainingJob', request.job, request),
    next: (request) => changed('next', 'TrainingJob', request.job, request),
    prioritize: (request) => changed('prioritize', 'TrainingJob', request.job, request),
    cordon: (request) => changed('cordon', 'Node', request.node, request),
    uncordon: (request) => changed('uncordon', 'Node', request.node, request),
    drain: async (request) => {
      note('drain', request);
      const { object } = named(canned, 'Node', request.node);
      return { jobs: object.case === 'node' ? (object.value.status?.jobs ?? []) : [] };
    },
    defrag: async (request) => {
      note('defrag', request);
      return canned.defrag;
    },
    createJoinToken: async (request) => {
      note('createJoinToken', request);
      return { token: 'shoal-join.id.secret.hash', ttlSeconds: request.ttlSeconds || 900 };
    },
  };
}

function streamHandlers({ canned, note }: Desk): Pick<Handlers<typeof ControlService>, Streams> {
  return {
    watch: async function* (request, { signal }) {
      note('watch', request);
      if (request.afterRevision === 0n) {
        for (const resource of of(canned, request.kind, request.names)) yield { type: 'ADDED', resource, revision: 1n };
        yield { type: 'BOOKMARK', revision: 1n };
      }
      yield* canned.changes;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    logs: async function* (request) {
      note('logs', request);
      named(canned, 'TrainingJob', request.job);
      yield* canned.logs;
    },
  };
}

function of(canned: Canned, kind: string, names: readonly string[]): Resource[] {
  const all = canned.resources.map((each) => create(ResourceSchema, each));
  return all.filter((each) => kindIn(each) === kind && (names.length === 0 || names.includes(metadataOf(each)?.name ?? '')));
}

function named(canned: Canned, kind: string, name: string): Resource {
  const [found] = of(canned, kind, [name]);
  if (found === undefined) throw new RpcError('NOT_FOUND', `${kind} "${name}" not found`);
  return found;
}

function createdResult(json: string): Init<typeof ApplyResultSchema> {
  return { outcome: 'created', uid: 'uid-1', object: { kind: kindInJson(json), name: nameIn(json) } };
}

function rowOf(resource: Resource): Init<typeof TableSchema>['rows'] extends (infer R)[] | undefined ? R : never {
  const name = metadataOf(resource)?.name ?? '';
  return { object: { kind: kindIn(resource), name }, cells: [name] };
}

function kindIn({ object }: Resource): string {
  return object.case === undefined ? '' : object.case.charAt(0).toUpperCase() + object.case.slice(1);
}

function nameIn(json: string): string {
  return /"name":"([^"]*)"/.exec(json)?.[1] ?? '';
}

function kindInJson(json: string): string {
  return /"kind":"([^"]*)"/.exec(json)?.[1] ?? '';
}
