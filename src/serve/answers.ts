/** What the server says. */
export interface Answer {
  /** Default 200. */
  readonly status?: number;
  /** Its content type. */
  readonly type: string;
  readonly body: string | Uint8Array;
  /** In place of the server's own; for pages whose scripts stand in themselves. */
  readonly contentPolicy?: string;
}

/** A request that is not answered, and why, as HTTP says it. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
