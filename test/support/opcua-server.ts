/** A small OPC UA server in this process, with variables that a test sets, and a cable to it that a test can cut. */
import net from 'node:net';
import { join } from 'node:path';
import {
  DataType,
  LogLevel,
  MessageSecurityMode,
  type Namespace,
  nodesets,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  type StatusCode,
  StatusCodes,
  setLogLevel,
  type UAVariable,
  type VariantOptions,
} from 'node-opcua';

setLogLevel(LogLevel.Error);

export const TEST_NAMESPACE = 'urn:twinbox:test;a%b';

export interface TestValue {
  readonly value: VariantOptions;
  readonly statusCode?: StatusCode;
  readonly timeMs: number;
}

export interface TestServer {
  readonly port: number;
  readonly endpointUrl: string;
  /** Adds the variable `s=name` in TEST_NAMESPACE; what it gives then sets its value. */
  add(name: string, first: TestValue): { readonly node: UAVariable; set(value: TestValue): void };
  remove(node: UAVariable): void;
  close(): Promise<void>;
}

export interface TestServerOptions {
  readonly stateDir: string;
  readonly port?: number;
  /** Registered before the test's own, which moves the test's index up. */
  readonly otherNamespaces?: readonly string[];
  readonly users?: Readonly<Record<string, string>>;
  /** What GetEndpoints says in place of the server's own URL. */
  readonly advertised?: string;
}

/** Offers None, Sign and SignAndEncrypt with Basic256Sha256; accepts every client certificate. */
export async function startTestServer(options: TestServerOptions): Promise<TestServer> {
  const { stateDir, port = 0, otherNamespaces = [], users, advertised } = options;
  const store = (name: string) =>
    new OPCUACertificateManager({
      rootFolder: join(stateDir, name),
      automaticallyAcceptUnknownCertificate: true,
      disableFileWatchers: true,
    });
  const server = new OPCUAServer({
    host: '127.0.0.1',
    hostname: '127.0.0.1',
    port,
    serverCertificateManager: store('own'),
    userCertificateManager: store('users'),
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
    allowAnonymous: users === undefined,
    userManager: { isValidUser: (name: string, password: string) => users?.[name] === password },
    ...(advertised !== undefined && { advertisedEndpoints: [advertised] }),
    nodeset_filename: [nodesets.standard],
    serverInfo: { applicationUri: 'urn:twinbox:test-server' },
  });
  await server.initialize();
  const addressSpace = server.engine.addressSpace;
  if (!addressSpace) throw new Error('no address space');
  for (const uri of otherNamespaces) addressSpace.registerNamespace(uri);
  const namespace: Namespace = addressSpace.registerNamespace(TEST_NAMESPACE);
  await server.start();
  const actualPort = server.endpoints[0]?.port ?? 0;
  return {
    port: actualPort,
    endpointUrl: `opc.tcp://127.0.0.1:${actualPort}`,
    add: (name, first) => {
      const node = namespace.addVariable({
        organizedBy: addressSpace.rootFolder.objects,
        browseName: name,
        nodeId: `s=${name}`,
        dataType: DataType[first.value.dataType as DataType],
        minimumSamplingInterval: 0, // each change is seen, whatever the load of this machine
        valueRank: -2, // a scalar or an array
      });
      const set = ({ value, statusCode = StatusCodes.Good, timeMs }: TestValue) =>
        node.setValueFromSource(value, statusCode, new Date(timeMs));
      set(first);
      return { node, set };
    },
    remove: (node) => addressSpace.deleteNode(node),
    async close() {
      await server.shutdown(0);
      server.dispose();
    },
  };
}

export interface Cable {
  readonly port: number;
  /** Resets every connection; new ones are refused until `mend`. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** A TCP proxy on 127.0.0.1 to a port. */
export async function startCable(toPort: number): Promise<Cable> {
  const sockets = new Set<net.Socket>();
  let whole = true;
  const track = (socket: net.Socket, other: () => net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => other().destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      other().destroy();
    });
  };
  const listener = net.createServer((near) => {
    if (!whole) {
      near.resetAndDestroy();
      return;
    }
    const far = net.connect(toPort, '127.0.0.1');
    track(near, () => far);
    track(far, () => near);
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    whole = false;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (listener.address() as net.AddressInfo).port,
    cut,
    mend: () => {
      whole = true;
    },
    close: () => {
      cut();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}
