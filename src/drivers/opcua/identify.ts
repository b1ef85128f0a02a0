/** What an OPC UA server says of itself, for whoever tries a source. */
import { AttributeIds, type ClientSession, VariableIds } from 'node-opcua-client';
import type { PeerFacts } from '../driver.ts';
import type { OpcuaConfig } from './options.ts';

/** A server may say a book. */
const MAX_CHARACTERS = 256;

/** By the name that the API gives it. (OPC UA Part 5 §6.3.1, §12.4) */
const NODES: readonly (readonly [name: string, node: number])[] = [
  ['application_uri', VariableIds.Server_ServerArray], // the first is its own
  ['product', VariableIds.Server_ServerStatus_BuildInfo_ProductName],
  ['manufacturer', VariableIds.Server_ServerStatus_BuildInfo_ManufacturerName],
  ['software_version', VariableIds.Server_ServerStatus_BuildInfo_SoftwareVersion],
];

/** What it does not say is absent. Rejects as the library does. */
export async function readServerFacts(session: ClientSession, config: OpcuaConfig): Promise<PeerFacts> {
  const { security_mode, security_policy } = config;
  const security = { security_mode, ...(security_mode !== 'None' && { security_policy }) };
  const values = await session.read(NODES.map(([, node]) => ({ nodeId: `ns=0;i=${node}`, attributeId: AttributeIds.Value })));
  const said = NODES.flatMap(([name], index) => {
    const { statusCode, value } = values[index] ?? {};
    const text: unknown = Array.isArray(value?.value) ? value.value[0] : value?.value;
    return statusCode?.isGood() && typeof text === 'string' && text !== '' ? [[name, text.slice(0, MAX_CHARACTERS)]] : [];
  });
  return { ...Object.fromEntries(said), ...security };
}
