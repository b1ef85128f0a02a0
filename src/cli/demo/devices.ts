/** The demo's devices, in a process of their own so that they do not share a thread with the daemon they feed. */
import { systemClock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import { startModbusPlc } from './modbus-plc.ts';
import { startOpcuaServer } from './opcua-server.ts';
import { startPackBroker } from './pack-broker.ts';

/** Sent to the parent when all run. */
export interface DevicesReady {
  readonly kind: 'ready';
  readonly modbusPort: number;
  readonly opcuaUrl: string;
  readonly mqttUrl: string;
}

export interface DevicesFailed {
  readonly kind: 'failed';
  readonly message: string;
}

const HOST = '127.0.0.1';

async function main(): Promise<void> {
  const stateDir = process.argv[2];
  if (stateDir === undefined || !process.send) throw new Error('this program is started by `twinbox demo`');
  const send = (message: DevicesReady | DevicesFailed) => process.send?.(message);
  process.on('SIGINT', () => undefined); // Ctrl-C reaches the whole group; the parent says when to leave
  try {
    const [plc, opcua, broker] = await Promise.all([
      startModbusPlc({ host: HOST, port: 0 }),
      startOpcuaServer({ host: HOST, port: 0, stateDir }),
      startPackBroker({ port: 0, clock: systemClock }),
    ]);
    send({ kind: 'ready', modbusPort: plc.port, opcuaUrl: opcua.endpointUrl, mqttUrl: broker.url });
    process.once('disconnect', () => void Promise.allSettled([plc.close(), opcua.close(), broker.close()]).then(() => process.exit(0)));
  } catch (error) {
    send({ kind: 'failed', message: messageOf(error) });
    process.exitCode = 1;
    process.disconnect();
  }
}

await main();
