/** One message between the lab and an agent in the guest: a line `VERB ID BASE64`. */
export interface Frame {
  verb: string;
  id: string;
  payload: Buffer;
}

export function encodeFrame(verb: string, id: string, payload: Buffer | string = ''): string {
  return `${verb} ${id} ${Buffer.from(payload).toString('base64')}\n`;
}

/** Cuts a byte stream into frames. A line that is none is dropped: it is the half-written last word of a killed agent. */
export class FrameReader {
  #rest = '';

  read(bytes: Buffer): Frame[] {
    const lines = (this.#rest + bytes.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.map(parse).filter((frame) => frame !== undefined);
  }
}

function parse(line: string): Frame | undefined {
  const [, verb, id, payload] = /^([A-Z]+) ([\w.-]+) ([A-Za-z0-9+/=]*)$/.exec(line) ?? [];
  if (verb === undefined || id === undefined || payload === undefined) return undefined;
  return { verb, id, payload: Buffer.from(payload, 'base64') };
}
