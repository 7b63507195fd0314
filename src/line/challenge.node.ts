/**
 * Known bad pictures that a camera's models are shown on a schedule, as a metal detector is shown its test pieces: that the alert comes is
 * proved, not believed. They are recorded as challenges, and are frames of nothing else.
 */
import { basename } from 'node:path';
import { readPictureBytes } from '../data/pictures/read-picture.node.js';
import { findPictures } from '../data/sources/folder.node.js';
import { DataError } from '../errors.js';
import type { Camera } from './camera.js';
import type { ChallengeConfig } from './config.js';
import type { Seen } from './source.js';

type Look = (bytes: Uint8Array, name: string) => Promise<Seen>;

export class Challenge {
  readonly #files: readonly string[];
  readonly #milliseconds: number;
  readonly #camera: Camera;
  readonly #look: Look;
  #next = 0;
  #dueAt: number;
  #isRunning = false;

  /**
   * @param look as the camera's frames are looked at
   * @throws DataError for a folder without pictures
   */
  constructor(config: ChallengeConfig, camera: Camera, now: number, look: Look) {
    this.#files = findPictures(config.pictures).paths;
    if (this.#files.length === 0)
      throw new DataError(`${config.pictures}: expects pictures that must raise the alert, got none`);
    this.#milliseconds = config.everySeconds * 1000;
    this.#camera = camera;
    this.#look = look;
    this.#dueAt = now + Math.min(this.#milliseconds, 10_000); // soon after the start, which changed something
  }

  tick(now: number): void {
    if (now < this.#dueAt || this.#isRunning) return;
    this.#dueAt = now + this.#milliseconds;
    this.#isRunning = true;
    void this.#run().finally(() => (this.#isRunning = false));
  }

  async #run(): Promise<void> {
    const file = this.#files[this.#next++ % this.#files.length];
    const name = basename(file);
    try {
      await this.#camera.challenge(await this.#look(readPictureBytes(file), name), name);
    } catch (error) {
      this.#camera.fault('challenge', true, `${name} cannot be shown: ${(error as Error).message}`);
    }
  }
}
