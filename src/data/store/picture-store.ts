/** Where the pictures of a data set are: in memory, or in files that may be larger than it. */

/** Pictures that are read when they are needed. */
export interface PictureStore {
  /** Pictures in it. */
  readonly count: number;
  /** They come as they are decoded: each is read once, and only forwards. */
  readonly forwardOnly: boolean;
  /**
   * Copies pictures into `target`, one after the other.
   *
   * @param indices which, [n]
   * @param target [n, height, width, channels], and perhaps more behind it
   */
  read(indices: Uint32Array, target: Uint8Array): Promise<void>;
}

/** All pictures, [N, height, width, channels], or a store of them. */
export type Pictures = Uint8Array | PictureStore;
