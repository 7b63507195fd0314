/** What the server says. */
export interface Answer {
  /** Default 200. */
  readonly status?: number;
  /** Its content type. */
  readonly type: string;
  /** Whole, or piece by piece as it comes: then the connection stays open until there is no more, or the asker has gone. */
  readonly body: string | Uint8Array | AsyncIterable<string>;
  /** In place of the server's own; for pages whose scripts stand in themselves. */
  readonly contentPolicy?: string;
}

/** A request that is not answered, and why, as HTTP says it. */
export class Refused extends Error {
  readonly status: number;
  /** Seconds after which it may be asked again. */
  readonly retryAfter: number | null;

  constructor(status: number, message: string, retryAfter: number | null = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}
