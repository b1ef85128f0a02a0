/** The OPC UA server of the demo. Its library is a development dependency, loaded only here. */
import * as ua from 'node-opcua';
import { type Clock, systemClock } from '../../core/clock.ts';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { ticks } from '../../core/ticker.ts';
import { type CellVariable, momentAt, NAMESPACE, VARIABLES } from './opcua-cell.ts';

export interface OpcuaServer {
  readonly endpointUrl: string;
  /** Ends the server and its connections. */
  close(): Promise<void>;
}

export interface OpcuaServerOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** Where the server keeps its key and certificates; made on first use, which takes a second or two. */
  readonly stateDir: string;
  readonly host?: string;
  readonly clock?: Clock;
}

/** The fastest that a client can see a change. */
const PERIOD_MS = 200;

/** Offers security None and Basic256Sha256 to anonymous users, on `host` only. Rejects `listen_failed` when the port is taken. */
export async function startOpcuaServer(options: OpcuaServerOptions): Promise<OpcuaServer> {
  const { port, stateDir, host = '127.0.0.1', clock = systemClock } = options;
  ua.setLogLevel(ua.LogLevel.Error); // its warnings would go to stdout
  // one store for servers' and users' certificates: a second would cost a second key
  const store = new ua.OPCUACertificateManager({
    rootFolder: stateDir,
    keySize: 2048,
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true,
  });
  const server = new ua.OPCUAServer({
    host,
    hostname: host,
    port,
    serverCertificateManager: store,
    userCertificateManager: store,
    securityModes: [ua.MessageSecurityMode.None, ua.MessageSecurityMode.Sign, ua.MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [ua.SecurityPolicy.None, ua.SecurityPolicy.Basic256Sha256],
    allowAnonymous: true,
    nodeset_filename: [ua.nodesets.standard],
    serverInfo: { applicationUri: 'urn:twinbox:demo', productUri: 'urn:twinbox:demo', applicationName: { text: 'twinbox demo cell' } },
  });
  try {
    await server.initialize();
    const variables = addCell(server);
    await server.start();
    const stop = new AbortController();
    const moving = move(variables, clock, stop.signal);
    return {
      endpointUrl: `opc.tcp://${host}:${server.endpoints[0]?.port ?? port}`,
      async close() {
        stop.abort();
        await moving;
        await server.shutdown(0);
        server.dispose();
      },
    };
  } catch (error) {
    await server.shutdown(0).catch(() => undefined); // it may not have got far enough to be shut down
    throw new GatewayError('listen_failed', `the demo OPC UA server cannot listen on ${host}:${port}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

type Variables = readonly { readonly variable: CellVariable; readonly node: ua.UAVariable }[];

function addCell(server: ua.OPCUAServer): Variables {
  const addressSpace = server.engine.addressSpace;
  if (!addressSpace) throw new Error('the server has no address space');
  const namespace = addressSpace.registerNamespace(NAMESPACE);
  const cell = namespace.addObject({ organizedBy: addressSpace.rootFolder.objects, browseName: 'Cell3', nodeId: 's=Cell3' });
  return VARIABLES.map((variable) => ({
    variable,
    node: namespace.addVariable({
      componentOf: cell,
      browseName: variable.node,
      nodeId: `s=${variable.node}`,
      dataType: ua.DataType[variable.type],
      minimumSamplingInterval: PERIOD_MS,
    }),
  }));
}

async function move(variables: Variables, clock: Clock, signal: AbortSignal): Promise<void> {
  for await (const _ of ticks(clock, PERIOD_MS, signal)) {
    const timeMs = clock.now();
    const cell = momentAt(timeMs / 1_000);
    for (const { variable, node } of variables) {
      node.setValueFromSource(
        { dataType: ua.DataType[variable.type], value: variable.valueAt(cell) },
        ua.StatusCodes.Good,
        new Date(timeMs),
      );
    }
  }
}
