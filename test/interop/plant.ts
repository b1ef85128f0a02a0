/** The configuration and the publisher that the interop tests share: which tags the peers have, and with which values. */
import mqtt, { type MqttClient } from 'mqtt';

export const MODBUS_VALUES = { temperature: 21.5, signed: -1234, total: 3_000_000_000, swapped: -0.25, running: true, stopped: false };

export const OPCUA_VALUES = { double: 21.5, float: -0.25, int32: -70_000, boolean: true, text: 'grün' };

export function modbusSource(port: number, options: object = {}) {
  return {
    id: 'ds-plc',
    name: 'PLC',
    type: 'modbus',
    config: { host: '127.0.0.1', port, polling_interval_ms: 200, timeout_ms: 500, ...options },
    tags: [
      { tag_name: 'temperature', register_type: 'holding', address: 0, data_type: 'float32', unit: '°C' },
      { tag_name: 'signed', register_type: 'holding', address: 2, data_type: 'int16' },
      { tag_name: 'total', register_type: 'holding', address: 3, data_type: 'uint32' },
      { tag_name: 'swapped', register_type: 'holding', address: 5, data_type: 'float32', byte_order: 'CDAB' },
      { tag_name: 'running', register_type: 'coil', address: 0 },
      { tag_name: 'stopped', register_type: 'coil', address: 1 },
      { tag_name: 'counter', register_type: 'input', address: 0, data_type: 'uint32' },
    ].map((tag) => ({ ...tag, asset_id: 'plc-1' })),
  };
}

export function opcuaSource(port: number, security: object = { security_mode: 'None', allow_insecure: true }) {
  return {
    id: 'ds-cell',
    name: 'Cell',
    type: 'opcua',
    config: { endpoint: `opc.tcp://127.0.0.1:${port}`, ...security, subscription: { publishing_interval_ms: 200 } },
    tags: [
      { tag_name: 'double', node_id: 'ns=1;s=Double' },
      { tag_name: 'float', node_id: 'ns=1;s=Float' },
      { tag_name: 'int32', node_id: 'ns=1;s=Int32' },
      { tag_name: 'boolean', node_id: 'nsu=urn:twinbox:test-server;s=Boolean' },
      { tag_name: 'text', node_id: 'ns=1;s=String' },
      { tag_name: 'counter', node_id: 'ns=1;s=Counter', sampling_interval_ms: 100 },
    ].map((tag) => ({ ...tag, asset_id: 'cell-1' })),
  };
}

/** Captures in the topic, and a document with a time of its own. */
export function mqttSource(url: string) {
  return {
    id: 'ds-hall',
    name: 'Hall',
    type: 'mqtt',
    config: { broker_url: url, qos: 1, keepalive_s: 2 },
    tags: [
      { topic: 'plants/{asset}/{tag}' },
      { topic: 'ovens/{asset}/telemetry', tag_name: 'counter', json_path: '$.n', timestamp_path: '$.at' },
      { topic: 'ovens/{asset}/telemetry', tag_name: 'heat', json_path: '$.data.heat', timestamp_path: '$.at', unit: '°C' },
    ],
  };
}

export const SIMULATED_SOURCE = {
  id: 'ds-sim',
  name: 'Simulator',
  type: 'simulator',
  config: { polling_interval_ms: 100 },
  tags: [{ tag_name: 'counter', asset_id: 'sim-1', waveform: 'counter', period_ms: 100 }],
};

const PUBLISH_EVERY_MS = 100;

/** A device at the broker: QoS 1, ten messages a second on each of its topics, and it comes back when the broker does. */
export class Publisher {
  readonly #client: MqttClient;
  readonly #timer: NodeJS.Timeout;
  readonly #sent = new Map<number, number>();
  #next = 0;
  #lastMs = 0;

  constructor(url: string) {
    this.#client = mqtt.connect(url, { reconnectPeriod: 50, connectTimeout: 1_000, queueQoSZero: false, clean: true });
    this.#client.on('error', () => undefined); // a broker that is away is what the tests are about
    this.#timer = setInterval(() => this.#publish(), PUBLISH_EVERY_MS);
  }

  /** What the broker has taken: counter by time, newest last. */
  get sent(): ReadonlyMap<number, number> {
    return this.#sent;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#client.endAsync(true);
  }

  #publish(): void {
    if (!this.#client.connected) return;
    const timeMs = Math.max(Date.now(), this.#lastMs + 1);
    this.#lastMs = timeMs;
    const n = this.#next++;
    const document = { at: new Date(timeMs).toISOString(), n, data: { heat: 180.25 } };
    this.#client.publish('ovens/oven-1/telemetry', JSON.stringify(document), { qos: 1 }, (error) => {
      if (!error) this.#sent.set(timeMs, n);
    });
    this.#client.publish('plants/press-1/speed', '12.5', { qos: 1 });
    this.#client.publish('plants/press-1/mode', 'auto', { qos: 1 });
  }
}
