// The floors of the house: who may import whom, and which npm package belongs to which folder. Default is deny.
const PORTS = ['src/store/telemetry\\.ts', 'src/store/records\\.ts', 'src/store/deliveries\\.ts'];

/** Folder → what of ours it may import besides itself. */
const FLOORS = {
  core: [],
  'drivers/modbus': ['src/core/', 'src/drivers/(driver|command|schema|tag-change)\\.ts'],
  'drivers/opcua': ['src/core/', 'src/drivers/(driver|command|schema|tag-change)\\.ts'],
  'drivers/mqtt': ['src/core/', 'src/drivers/(driver|command|schema|tag-change)\\.ts'],
  'drivers/simulator': ['src/core/', 'src/drivers/(driver|command|schema|tag-change)\\.ts'],
  'drivers/derived': ['src/core/', 'src/drivers/(driver|schema|tag-change)\\.ts'],
  'drivers/bms': ['src/core/', 'src/drivers/(driver|schema)\\.ts', 'src/drivers/(modbus|mqtt)/options\\.ts'],
  store: ['src/core/'],
  system: ['src/core/'],
  ingest: ['src/core/', ...PORTS, 'src/drivers/(driver|registry)\\.ts'],
  twin: ['src/core/', ...PORTS],
  alerts: ['src/core/', ...PORTS],
  dashboard: ['src/core/', ...PORTS],
  config: [
    'src/core/',
    'src/drivers/(registry|schema|source-options)\\.ts',
    'src/drivers/[a-z]+/(options|schema)\\.ts',
    'src/drivers/bms/expand\\.ts',
    'src/alerts/schema\\.ts',
    'src/alerts/notify/(schema|channel)\\.ts',
  ],
  api: [
    'src/core/',
    ...PORTS,
    'src/store/calendar\\.ts',
    'src/(ingest|twin|alerts|dashboard)/',
    'src/drivers/(schema|registry|source-options)\\.ts',
  ],
  app: ['src/(core|drivers|store|system|ingest|twin|alerts|dashboard|config|api)/'],
};

/** npm package → the folders that may use it. */
const PACKAGES = {
  zod: ['src/(drivers|config|api)/', 'src/alerts/(notify/)?schema\\.ts'],
  'modbus-serial': ['src/drivers/modbus/', 'src/cli/demo/'],
  serialport: ['src/drivers/modbus/'],
  'node-opcua-[a-z-]+': ['src/drivers/opcua/', 'src/system/self-signed\\.ts'],
  'node-opcua': ['src/cli/demo/'],
  mqtt: ['src/drivers/mqtt/', 'src/alerts/notify/mqtt(-publish)?\\.ts'],
  'json-p3': ['src/drivers/mqtt/'],
  'better-sqlite3': ['src/store/'],
  nodemailer: ['src/alerts/notify/email\\.ts'],
  filtrex: ['src/drivers/derived/'],
  pino: ['src/system/'],
  'prom-client': ['src/system/'],
  yaml: ['src/config/', 'src/cli/demo\\.ts'],
  hono: ['src/api/'],
  '@hono/node-server': ['src/api/'],
  commander: ['src/main\\.ts'],
  aedes: ['src/cli/demo/'],
};

const floorRules = Object.entries(FLOORS).map(([folder, allowed]) => ({
  name: `floor-${folder}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [`src/${folder}/`, ...allowed].map((path) => `^${path}`) },
}));

const packageRules = Object.entries(PACKAGES).map(([name, folders]) => ({
  name: `package-${name}`,
  severity: 'error',
  from: { path: '^src/', pathNot: folders.map((folder) => `^${folder}`) },
  to: { path: `^node_modules/${name}/` },
}));

module.exports = {
  forbidden: [
    { name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...floorRules,
    ...packageRules,
    {
      name: 'contracts-apart',
      severity: 'error',
      from: { path: '^src/api/(desktop|edge|packs)/' },
      to: { path: '^src/api/(desktop|edge|packs)/', pathNot: '^src/api/$1/' },
    },
    {
      name: 'engine-behind-the-port',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(store|app|cli)/' },
      to: { path: '^src/store/', pathNot: [...PORTS, 'src/store/calendar\\.ts'].map((path) => `^${path}`) },
    },
    {
      name: 'nobody-imports-the-top',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(cli/|main\\.ts)' },
      to: { path: '^src/(cli/|main\\.ts)' },
    },
    {
      name: 'no-other-package',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^node_modules/', pathNot: Object.keys(PACKAGES).map((name) => `^node_modules/${name}/`) },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
