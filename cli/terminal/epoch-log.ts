/** Training in lines: Keras' two for each epoch, and one that moves. */
import { epochFigure, type Progress } from '../../src/index.node.js';

const LONGEST_BAR = 30;
const SHORTEST_BAR = 5;

/** The line for the terminal; it knows when training began, so that its ETA counts all epochs and their validation. */
export class ProgressLine {
  readonly #epochs: number;
  readonly #before: number;
  readonly #start = performance.now();

  /** @param before epochs that an earlier process trained */
  constructor(epochs: number, before = 0) {
    this.#epochs = epochs;
    this.#before = before;
  }

  /**
   * ` 37/100 [=======>.......] - loss: 0.1437 - acc: 0.9400 - 512 pictures/s - ETA 1m 20s`. Where that does not fit, the bar, then the
   * speed, then the accuracy are left out: 40 columns hold the rest.
   */
  text({ epoch, step, steps, loss, accuracy, picturesPerSecond }: Progress, columns: number): string {
    const done = epoch - 1 + step / steps;
    const elapsed = (performance.now() - this.#start) / 1000;
    const stepsDone = ` ${String(step).padStart(String(steps).length)}/${steps}`;
    const speed = `${picturesPerSecond.toFixed(picturesPerSecond < 10 ? 1 : 0)} pictures/s`;
    const eta = `ETA ${duration((elapsed * (this.#epochs - done)) / (done - this.#before))}`;
    const all = [`loss: ${epochFigure(loss)}`, `acc: ${epochFigure(accuracy)}`, speed, eta];
    const fits = [all, [all[0], all[1], eta], [all[0], eta], [eta]]
      .map((parts) => parts.join(' - '))
      .find((rest) => stepsDone.length + 3 + rest.length <= columns);
    const rest = fits ?? eta;
    const room = Math.min(LONGEST_BAR, columns - stepsDone.length - rest.length - ' [] - '.length);
    return rest.length < all.join(' - ').length || room < SHORTEST_BAR
      ? `${stepsDone} - ${rest}`
      : `${stepsDone} ${bar(step / steps, room)} - ${rest}`;
  }
}

/** `[=====>........]` */
function bar(fraction: number, length: number): string {
  const filled = Math.floor(fraction * length);
  return `[${`${'='.repeat(filled)}${filled < length ? '>' : ''}`.padEnd(length, '.')}]`;
}

/** A duration as people say it: 45s, 3m 20s, 2h 05m. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}
