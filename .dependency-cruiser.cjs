/**
 * The walls between the rooms. Each room has one rule that lists everything it may import; whatever is not listed is an
 * error. The direction in one line: vocabulary <- core <- ports <- loop <- api, adapters <- main.
 *
 * `may` are paths of this repository, `packages` are npm packages, `node` says which modules of Node itself are allowed.
 * To open a wall, change the list of the room and say why in docs/decisions.
 */
const vocabulary = '^proto/vocabulary/';
const wire = ['^proto/gen/', '^proto/codec/'];
const calls = ['^proto/rpc/'];
const ownProcess = '^proto/process/';
const protobuf = ['@bufbuild/protobuf'];
const grpc = ['@grpc/grpc-js'];
/** x509 wants reflect-metadata to be loaded before it. */
const x509 = ['@peculiar/x509', 'reflect-metadata'];
const npmPackages = '(^|/)node_modules/';
const anyNodeModule = true;

/** [name, folder, {may, packages, node}] */
const rooms = [
  ['proto-gen', '^proto/gen/', { may: ['^proto/gen/'], packages: protobuf }],
  ['proto-vocabulary', vocabulary, { may: [vocabulary] }],
  ['proto-codec', '^proto/codec/', { may: [vocabulary, ...wire, '^proto/rpc/rpcError[.]ts$'], packages: [...protobuf, 'yaml'] }],
  ['proto-rpc', '^proto/rpc/', { may: [vocabulary, '^proto/gen/', ...calls], packages: [...protobuf, ...grpc], node: anyNodeModule }],

  // What the programs that stay do about themselves, as processes of Node.
  ['proto-process', ownProcess, { may: [], node: anyNodeModule }],

  ['controller-core', '^controller/core/', { may: [vocabulary, '^controller/core/'] }],
  ['controller-ports', '^controller/ports/', { may: [vocabulary, '^controller/core/', '^controller/ports/'] }],
  [
    'controller-loop',
    '^controller/loop/',
    {
      may: [vocabulary, '^controller/(core|ports|loop)/', '^controller/limits[.]ts$'],
      packages: ['pino'],
      node: anyNodeModule,
    },
  ],
  [
    // Answers what would be, in a thread of its own that follows the log.
    'controller-forecasts',
    '^controller/forecasts/',
    { may: [vocabulary, '^controller/(core|ports|loop|forecasts)/', '^controller/limits[.]ts$'], node: anyNodeModule },
  ],
  [
    'controller-api',
    '^controller/api/',
    {
      may: [vocabulary, ...wire, ...calls, '^controller/(core|ports|loop|forecasts|api)/', '^controller/limits[.]ts$'],
      packages: [...protobuf, ...grpc, 'pino'],
      node: anyNodeModule,
    },
  ],
  [
    'controller-adapters',
    '^controller/adapters/',
    {
      may: [vocabulary, ...wire, '^controller/(core|ports|adapters)/', '^controller/limits[.]ts$'],
      packages: [...protobuf, 'pino', ...x509],
      node: anyNodeModule,
    },
  ],
  [
    'controller-main',
    '^controller/[^/]+[.]ts$',
    {
      may: [vocabulary, ...wire, ...calls, ownProcess, '^controller/'],
      packages: [...protobuf, ...grpc, 'pino'],
      node: anyNodeModule,
    },
  ],

  ['agent-core', '^agent/core/', { may: [vocabulary, '^agent/core/'] }],
  ['agent-ports', '^agent/ports/', { may: [vocabulary, '^agent/core/', '^agent/ports/'] }],
  [
    'agent-loop',
    '^agent/loop/',
    { may: [vocabulary, '^agent/(core|ports|loop)/', '^agent/limits[.]ts$'], packages: ['pino'], node: anyNodeModule },
  ],
  [
    'agent-adapters',
    '^agent/adapters/',
    {
      may: [vocabulary, ...wire, ...calls, '^agent/(core|ports|adapters)/', '^agent/limits[.]ts$'],
      packages: [...protobuf, ...grpc, 'pino'],
      node: anyNodeModule,
    },
  ],
  [
    'agent-join',
    '^agent/join/',
    {
      may: [vocabulary, ...wire, ...calls, '^agent/join/', '^agent/limits[.]ts$'],
      packages: [...protobuf, ...grpc, ...x509],
      node: anyNodeModule,
    },
  ],
  [
    'agent-main',
    '^agent/[^/]+[.]ts$',
    { may: [vocabulary, ...wire, ...calls, ownProcess, '^agent/'], packages: [...protobuf, 'pino'], node: anyNodeModule },
  ],

  [
    'cli',
    '^cli/',
    { may: [vocabulary, ...wire, ...calls, '^cli/'], packages: [...protobuf, ...grpc, 'commander', 'yaml'], node: anyNodeModule },
  ],
  [
    // It looks into the pure cores, which are what it simulates, and into nothing that does I/O.
    'sim',
    '^sim/',
    {
      may: [vocabulary, '^proto/codec/', '^(controller|agent)/core/', '^controller/limits[.]ts$', '^sim/'],
      packages: ['yaml'],
      node: anyNodeModule,
    },
  ],
];

/** What looks in and what nobody looks at: rooms of their own, and what the tests of one room share (`testing/` inside it). */
const onlookers = '^(test|tools|bench|examples)/|/testing/';
const besideSources = '[.]test[.]ts$';

function roomRule([name, folder, { may, packages = [], node = false }]) {
  const npm = packages.map((each) => `${npmPackages}${each}/`);
  return {
    name: `room-${name}`,
    comment: `${folder} may import only ${[...may, ...packages, ...(node ? ['modules of Node'] : [])].join(', ')}`,
    severity: 'error',
    from: { path: folder, pathNot: [besideSources, onlookers] },
    to: { pathNot: [...may, ...npm], ...(node ? { dependencyTypesNot: ['core'] } : {}) },
  };
}

/** Only the named places may import what `path` names. */
function onlyFrom({ name, comment, places, path }) {
  return { name, comment, severity: 'error', from: { pathNot: [...places, onlookers, npmPackages] }, to: { path } };
}

module.exports = {
  forbidden: [
    ...rooms.map(roomRule),
    {
      name: 'room-without-a-rule',
      comment: 'Every folder with sources is a room with a list of what it may import: add it to `rooms`.',
      severity: 'error',
      from: { pathNot: [...rooms.map(([, folder]) => folder), onlookers, besideSources, npmPackages, '^[^/]+[.]config[.]ts$'] },
      to: {},
    },
    {
      name: 'tests-stay-in-their-program',
      comment: 'A test beside the sources may use its own program, proto and test; end-to-end tests live in test/.',
      severity: 'error',
      from: { path: [`^(controller|agent|cli|proto)/.*${besideSources}`, '^(controller|agent|cli|proto)/.*/testing/'] },
      to: { path: '^(controller|agent|cli|sim|tools|bench|examples)/', pathNot: '^$1/' },
    },
    {
      name: 'tests-of-the-simulator-see-what-it-sees',
      comment: 'A test in sim/ may use what the simulator may: the two cores, proto and test; no program around them.',
      severity: 'error',
      from: { path: [`^sim/.*${besideSources}`, '^sim/.*/testing/'] },
      to: { path: '^(controller|agent|cli|tools|bench|examples)/', pathNot: ['^(controller|agent)/core/', '^controller/limits[.]ts$'] },
    },
    {
      name: 'nobody-looks-at-onlookers',
      comment: 'test, tools, bench, examples and testing/ of a room may look in; no product code may depend on them.',
      severity: 'error',
      from: { pathNot: [onlookers, besideSources, npmPackages] },
      to: { path: onlookers, pathNot: npmPackages },
    },
    {
      name: 'adapters-do-not-know-each-other',
      comment: 'An adapter can be taken out without touching another; what two share is a port or vocabulary.',
      severity: 'error',
      from: { path: '^(controller|agent)/adapters/([^/]+)/' },
      to: { path: '^$1/adapters/', pathNot: '^$1/adapters/$2/' },
    },
    onlyFrom({
      name: 'grpc-at-the-edge-only',
      comment: 'gRPC is known where calls come in and go out, nowhere else.',
      places: ['^proto/rpc/', '^controller/api/', '^controller/main[.]ts$', '^agent/adapters/link/', '^agent/join/', '^cli/'],
      path: `${npmPackages}@grpc/`,
    }),
    onlyFrom({
      name: 'sqlite-behind-its-port-only',
      comment: 'The store port is how everybody else reaches the log.',
      places: ['^controller/adapters/sqlite/'],
      path: '^(node:)?sqlite$',
    }),
    onlyFrom({
      name: 'certificates-are-made-in-two-places',
      comment: 'The authority signs in controller/adapters/pki, a new agent asks in agent/join; others are handed PEM text.',
      places: ['^controller/adapters/pki/', '^agent/join/'],
      path: `${npmPackages}@peculiar/x509/`,
    }),
    {
      name: 'no-circle',
      comment: 'Two files that need each other are one idea in two files, or two ideas mixed.',
      severity: 'error',
      from: { pathNot: npmPackages },
      to: { circular: true },
    },
    {
      name: 'nothing-unresolved',
      comment: 'An import that cannot be resolved escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-development-package-in-the-product',
      comment: 'What the programs import must be in `dependencies`.',
      severity: 'error',
      from: { pathNot: [onlookers, besideSources, '^[^/]+[.]config[.]ts$', npmPackages] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: npmPackages },
    exclude: { path: '^(node_modules/[.]cache|dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.d.ts'],
    },
    skipAnalysisNotInRules: true,
  },
};
