/** Reads Server-Sent Events as a client does. (HTML Living Standard §9.2.6) */

export interface SseEvent {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into data of every shape
  readonly data: any;
}

export class SseReader {
  readonly events: SseEvent[] = [];
  comments = 0;
  /** What the server asks for, ms. */
  retryMs: number | undefined;
  #rest = '';
  readonly #decoder = new TextDecoder();

  take(bytes: Uint8Array): void {
    const blocks = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) this.#dispatch(block);
  }

  /** The rows of all telemetry so far. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  get rows(): any[] {
    return this.events.filter(({ name }) => name === 'telemetry').flatMap(({ data }) => data.data);
  }

  /** How many readings the server says it has dropped. */
  get dropped(): number {
    return this.events.filter(({ name }) => name === 'dropped').reduce((sum, { data }) => sum + data.data.readings, 0);
  }

  #dispatch(block: string): void {
    let name = 'message';
    let data = '';
    for (const line of block.split('\n')) {
      if (line.startsWith(':')) this.comments++;
      else if (line.startsWith('retry: ')) this.retryMs = Number(line.slice(7));
      else if (line.startsWith('event: ')) name = line.slice(7);
      else if (line.startsWith('data: ')) data += line.slice(6);
      else throw new Error(`no line of an event stream: ${line}`);
    }
    if (data !== '') this.events.push({ name, data: JSON.parse(data) });
  }
}
