/** The part of jsfive that is used here; it brings no types of its own. */
declare module 'jsfive' {
  export class Group {
    readonly keys: readonly string[];
    readonly attrs: Readonly<Record<string, unknown>>;
    /** @throws texts and errors of all kinds for a damaged file */
    get(name: string): Group | Dataset | null;
  }
  export class Dataset {
    readonly shape: readonly number[];
    readonly dtype: unknown;
    readonly value: readonly unknown[];
  }
  export class File extends Group {
    constructor(bytes: ArrayBuffer, name: string);
  }
}
