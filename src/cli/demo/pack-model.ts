/** A battery pack for the demo: rides and charges for ever, the same at every start. */

/** Li-ion NMC, 13 cells in series, as in an electric motorcycle. */
const CELLS = 13;
const NOMINAL_AH = 40;
const RIDE_A = -34;
const CHARGE_A = 26;
const REST_S = 120;
const EMPTY_PCT = 18;
const FULL_PCT = 96;
const PACK_OHM = 0.035;
const AMBIENT_C = 24;
/** Open-circuit voltage of a cell at 0, 10, … 100 % of charge: the usual shape of NMC. */
const OCV_V = [3.0, 3.45, 3.55, 3.61, 3.65, 3.7, 3.77, 3.86, 3.95, 4.05, 4.18] as const;

export interface PackStart {
  readonly id: string;
  readonly socPct: number;
  readonly sohPct: number;
  readonly cycles: number;
  readonly charging: boolean;
}

/** Steps of one second; every number follows from the start and the count of steps. */
export class PackModel {
  readonly id: string;
  readonly #capacityAh: number;
  readonly #sohPct: number;
  #remainingAh: number;
  #cycles: number;
  #drawnAh: number;
  #temperatureC = AMBIENT_C + 2;
  #currentA = 0;
  #phase: 'ride' | 'charge';
  #restS = 0;
  #second = 0;

  constructor(start: PackStart) {
    this.id = start.id;
    this.#sohPct = start.sohPct;
    this.#capacityAh = (NOMINAL_AH * start.sohPct) / 100;
    this.#remainingAh = (this.#capacityAh * start.socPct) / 100;
    this.#cycles = start.cycles;
    this.#drawnAh = start.cycles * NOMINAL_AH * 0.9;
    this.#phase = start.charging ? 'charge' : 'ride';
  }

  /** Lets one second pass. */
  step(): void {
    this.#second++;
    this.#currentA = this.#nextCurrentA();
    const movedAh = this.#currentA / 3600;
    this.#remainingAh += movedAh;
    if (movedAh < 0) this.#drawnAh -= movedAh;
    const heatC = (this.#currentA ** 2 * PACK_OHM) / 9_000; // a 9 kJ/K pack
    this.#temperatureC += heatC - (this.#temperatureC - AMBIENT_C) / 1_800;
    if (this.#phase === 'ride' && this.#socPct <= EMPTY_PCT) this.#turn('charge');
    else if (this.#phase === 'charge' && this.#socPct >= FULL_PCT) {
      this.#turn('ride');
      this.#cycles++;
    }
  }

  /** The pack's message in the layout of the profile generic_json. */
  message(timestamp: string) {
    const cellV = this.#cellV();
    const cells = Array.from({ length: CELLS }, (_, index) => ({
      voltage: round(cellV + 0.002 * Math.sin(index * 2.4), 3),
      balance: this.#phase === 'charge' && this.#socPct > 90 && index % 4 === 0,
    }));
    return {
      timestamp,
      serial_number: this.id,
      cell_count: CELLS,
      capacity: NOMINAL_AH,
      voltage: round(cellV * CELLS, 2),
      current: round(this.#currentA, 2),
      soc: round(this.#socPct, 1),
      soh: this.#sohPct,
      capacity_remain: round(this.#remainingAh, 3),
      temperature_1: round(this.#temperatureC, 1),
      temperature_2: round(this.#temperatureC + 0.4, 1),
      temperature_mos: round(this.#temperatureC + Math.abs(this.#currentA) / 8, 1),
      charge_fet: true,
      discharge_fet: true,
      balance_fet: cells.some((cell) => cell.balance),
      cells,
      protection: { high_voltage: 0, low_voltage: 0, low_soc: this.#socPct < 20 ? 1 : 0, high_temperature: 0, low_temperature: 0 },
      history: { charge_cycles: this.#cycles, total_ah_drawn: round(this.#drawnAh, 2) },
    };
  }

  get #socPct(): number {
    return (100 * this.#remainingAh) / this.#capacityAh;
  }

  #nextCurrentA(): number {
    if (this.#restS > 0) {
      this.#restS--;
      return 0;
    }
    if (this.#phase === 'charge') return this.#socPct < 85 ? CHARGE_A : CHARGE_A * (1 - (this.#socPct - 85) / 16);
    // Stop and go: a minute of traffic, with braking that gives a little back.
    const throttle = Math.sin(this.#second / 9) + 0.5 * Math.sin(this.#second / 3.7);
    return throttle > -0.9 ? RIDE_A * (0.55 + 0.45 * Math.max(0, throttle)) : 4;
  }

  #turn(phase: 'ride' | 'charge'): void {
    this.#phase = phase;
    this.#restS = REST_S;
  }

  #cellV(): number {
    const at = Math.min(9.999, Math.max(0, this.#socPct / 10));
    const low = OCV_V[Math.floor(at)] ?? OCV_V[0];
    const high = OCV_V[Math.ceil(at)] ?? low;
    return low + (high - low) * (at - Math.floor(at)) + (this.#currentA * PACK_OHM) / CELLS;
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
