/** One client, one secure channel and one session with a server; no repair: when it breaks, the supervisor builds the next one. */
import {
  AttributeIds,
  type ClientSecureChannelLayer,
  type ClientSession,
  type ClientSessionPublishService,
  type ClientSessionRawSubscriptionService,
  type EndpointDescription,
  MessageSecurityMode,
  OPCUAClient,
  SecurityPolicy,
  VariableIds,
} from 'node-opcua-client';
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import type { DriverContext } from '../driver.ts';
import { batchSize } from './batches.ts';
import { connectFault, linkFault } from './faults.ts';
import { type OpcuaConfig, target } from './options.ts';
import { checkServer, type Identity, openIdentity } from './security.ts';
import { checkPasswordProtected, userIdentity } from './user.ts';
import { within } from './within.ts';

/** Of `connect` as a whole; a server on a plant's network answers in well under a second. */
const CONNECT_TIMEOUT_MS = 10_000;
/** The library gives a connection attempt half of this, and drops a socket that is silent for all of it. */
const TRANSPORT_TIMEOUT_MS = 10_000;
/** One call; a small PLC takes seconds to create a thousand monitored items. */
const CALL_TIMEOUT_MS = 15_000;
/** How long a session outlives its channel at the server: long enough to take its subscription over, short enough not to use up a PLC's few sessions. */
const SESSION_TIMEOUT_MS = 60_000;
/** For saying good-bye; the server forgets us by itself if this is not enough. */
const CLOSE_TIMEOUT_MS = 2_000;

const SECURITY_POLICY_URIS: Readonly<Record<OpcuaConfig['security_policy'], SecurityPolicy>> = {
  None: SecurityPolicy.None,
  Basic256Sha256: SecurityPolicy.Basic256Sha256,
  Aes128_Sha256_RsaOaep: SecurityPolicy.Aes128_Sha256_RsaOaep,
  Aes256_Sha256_RsaPss: SecurityPolicy.Aes256_Sha256_RsaPss,
};

/** What the server said of itself in this session. */
export interface ServerFacts {
  readonly namespaces: readonly string[];
  /** When the server was started, milliseconds; tells a restart from a short break of the network. */
  readonly startedMs: number | undefined;
  readonly nodesPerRead: number;
  readonly itemsPerCall: number;
}

/** The library's session with the plain services that it has, but declares apart. */
export type Session = ClientSession & ClientSessionRawSubscriptionService & ClientSessionPublishService;

export interface Link {
  readonly session: Session;
  readonly server: ServerFacts;
  /** True when the session is the one that was handed in, its subscription still in it. */
  readonly resumed: boolean;
  /** Resolves with the reason when the link breaks. */
  readonly lost: Promise<GatewayError>;
  /** Ends session, subscription and channel. Never rejects, and takes at most two seconds. */
  close(): Promise<void>;
  /** Ends the channel only, so that the session can be handed to the next link. Never rejects, and takes at most two seconds. */
  abandon(): Promise<void>;
}

/**
 * `orphan` is the session of an abandoned link. It is activated again where the server still has it: nothing is lost
 * then, and a server with few sessions does not run out of them when a network flaps. (OPC UA Part 4 §5.7.3, §6.7)
 * Rejects `not_connected`, `authentication_failed` or `config_invalid`, with the endpoint in the message, within ten seconds.
 */
export async function openLink(config: OpcuaConfig, context: DriverContext, signal: AbortSignal, orphan?: Session): Promise<Link> {
  const identity = await openIdentity(context);
  const trace = new Trace(context.clock);
  const bounds = { clock: context.clock, timeoutMs: CONNECT_TIMEOUT_MS, signal, what: `${config.endpoint}: connecting` };
  try {
    const way = { config, url: await urlOf(config, context, signal), identity, trace };
    return await within(connect(way, orphan), bounds);
  } catch (error) {
    await trace.close(trace.created);
    throw connectFault(error, config.endpoint, identity.certificateFile);
  }
}

/** What is used on the way to a link. */
interface Way {
  readonly config: OpcuaConfig;
  /** The endpoint, with the one address in place of the host where a source may not reach every address. */
  readonly url: string;
  readonly identity: Identity;
  readonly trace: Trace;
}

/** Nothing that a server says of its endpoints is ever connected to: only this. Rejects as `Egress.address`. */
async function urlOf(config: OpcuaConfig, { egress }: DriverContext, signal: AbortSignal): Promise<string> {
  if (!egress) return config.endpoint;
  const { host, port } = target(config);
  const address = await egress.address(host, port, signal);
  const path = config.endpoint.replace(/^opc\.tcp:\/\/[^/]*/, '');
  return `opc.tcp://${address.includes(':') ? `[${address}]` : address}:${port}${path}`;
}

async function connect(way: Way, orphan: Session | undefined): Promise<Link> {
  const { config, url, identity, trace } = way;
  const secure = config.security_mode !== 'None';
  const user = await userIdentity(config.authentication);
  const endpoint = secure ? await discover(way) : undefined;
  if (endpoint) {
    await checkServer(identity, endpoint, target(config).host);
    checkPasswordProtected(config.authentication, endpoint);
  }
  const client = trace.add(
    OPCUAClient.create({
      ...clientOptions(identity),
      securityMode: MessageSecurityMode[config.security_mode],
      securityPolicy: SECURITY_POLICY_URIS[secure ? config.security_policy : 'None'],
      ...(endpoint ? { serverCertificate: endpoint.serverCertificate } : {}),
      requestedSessionTimeout: SESSION_TIMEOUT_MS,
      keepSessionAlive: false, // the watchdog of `run` asks often enough
      keepPendingSessionsOnDisconnect: true, // closing the session is up to us
      endpointMustExist: false, // servers call themselves by names that mean nothing to us
    }),
  );
  const lost = new Promise<GatewayError>((resolve) => {
    client.on('close', (error) => resolve(linkFault(error ?? new Error('closed by the server'), config.endpoint)));
  });
  await client.connect(url);
  const resumed = orphan !== undefined && (await reactivate(client, orphan));
  const session = resumed ? orphan : ((await client.createSession(user)) as Session);
  if (!resumed) trace.created = session;
  return { session, server: await readFacts(session), resumed, lost, close: () => trace.close(session), abandon: () => trace.close() };
}

/** False when the server has forgotten the session: after a restart, or by its timeout. */
async function reactivate(client: OPCUAClient, orphan: Session): Promise<boolean> {
  try {
    await client.reactivateSession(orphan);
    return true;
  } catch {
    return false; // whatever is wrong with the server as such, the new session says it
  }
}

/** Asks without security which endpoints there are, and takes the one that the configuration wants. (OPC UA Part 4 §5.4.4) */
async function discover({ config, url, identity, trace }: Way): Promise<EndpointDescription> {
  const client = trace.add(
    OPCUAClient.create({ ...clientOptions(identity), securityMode: MessageSecurityMode.None, endpointMustExist: false }),
  );
  await client.connect(url);
  const endpoints = await client.getEndpoints({ endpointUrl: url });
  await client.disconnect();
  const mode = MessageSecurityMode[config.security_mode];
  const policy = SECURITY_POLICY_URIS[config.security_policy];
  const found = endpoints.find((endpoint) => endpoint.securityMode === mode && endpoint.securityPolicyUri === policy);
  if (found) return found;
  const offered = new Set(
    endpoints.map((it) => `${MessageSecurityMode[it.securityMode]} ${it.securityPolicyUri?.split('#')[1] ?? ''}`.trim()),
  );
  throw new GatewayError(
    'config_invalid',
    `${config.endpoint} does not offer security_mode ${config.security_mode} with security_policy ${config.security_policy}; it offers ${[...offered].join(', ') || 'nothing'}`,
  );
}

function clientOptions(identity: Identity) {
  return {
    applicationName: identity.applicationName,
    applicationUri: identity.applicationUri,
    clientName: identity.applicationName,
    clientCertificateManager: identity.store,
    certificateFile: identity.certificateFile,
    privateKeyFile: identity.privateKeyFile,
    connectionStrategy: { maxRetry: 0 },
    transportTimeout: TRANSPORT_TIMEOUT_MS,
    defaultTransactionTimeout: CALL_TIMEOUT_MS,
  };
}

/** One read for all; a server that knows none of these nodes gets our defaults. (OPC UA Part 5 §6.3) */
async function readFacts(session: ClientSession): Promise<ServerFacts> {
  const ids = [
    VariableIds.Server_NamespaceArray,
    VariableIds.Server_ServerStatus_StartTime,
    VariableIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    VariableIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
  ];
  const values = await session.read(ids.map((id) => ({ nodeId: `ns=0;i=${id}`, attributeId: AttributeIds.Value })));
  const [namespaces, started, nodesPerRead, itemsPerCall] = values.map((value) =>
    value.statusCode.isGood() ? value.value?.value : undefined,
  );
  return {
    namespaces: Array.isArray(namespaces) ? namespaces.map(String) : [],
    startedMs: started instanceof Date ? started.getTime() : undefined,
    nodesPerRead: batchSize(nodesPerRead),
    itemsPerCall: batchSize(itemsPerCall),
  };
}

/** Remembers what was opened, so that it can be closed from wherever the way to a link ended. */
class Trace {
  readonly #clock: Clock;
  readonly #clients: OPCUAClient[] = [];
  readonly #channels = new Set<ClientSecureChannelLayer>();
  #closing: Promise<void> | undefined;
  /** The session that was made on this way, if it got so far. */
  created: Session | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(client: OPCUAClient): OPCUAClient {
    if (this.#closing) throw new GatewayError('stopped', 'the connection is being closed');
    this.#clients.push(client);
    client.on('secure_channel_created', (channel) => {
      this.#channels.add(channel);
      if (this.#closing) channel.abortConnection(ignore); // made after we had given up
    });
    return client;
  }

  /** Ends the clients, after the session when one is given; the first call decides. */
  close(session?: Session): Promise<void> {
    this.#closing ??= this.#close(session);
    return this.#closing;
  }

  async #close(session: Session | undefined): Promise<void> {
    const bounds = { clock: this.#clock, timeoutMs: CLOSE_TIMEOUT_MS, signal: new AbortController().signal, what: 'closing' };
    const goodbye = async () => {
      await session?.close(true).catch(ignore);
      await Promise.allSettled(this.#clients.map((client) => client.disconnect()));
    };
    await within(goodbye(), bounds).catch(ignore);
    for (const channel of this.#channels) if (channel.isValid()) channel.forceConnectionBreak();
  }
}

/** For endings whose failure changes nothing: the other side forgets us by its own timeout. */
function ignore(): void {}
