/** Training in lines: Keras' two for each epoch, and one that moves. */
import type { EpochLog, Progress } from '../../src/index.node.js';

/** A figure as Keras' log has it: 0.0812, and 8.1200e-04 from 1e-3 down. */
export function figure(value: number): string {
  if (value > 1e-3) return value.toFixed(4);
  return value.toExponential(4).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** The second of Keras' lines: ` - 23s - loss: 0.1437 - acc: 0.9400 - val_loss: 0.4083 - val_acc: 0.5000` */
export function epochLine({ seconds, loss, accuracy, valLoss, valAccuracy }: EpochLog): string {
  const parts = [`${seconds.toFixed(0)}s`, `loss: ${figure(loss)}`, `acc: ${figure(accuracy)}`];
  if (valLoss !== undefined && valAccuracy !== undefined) {
    parts.push(`val_loss: ${figure(valLoss)}`, `val_acc: ${figure(valAccuracy)}`);
  }
  return ` - ${parts.join(' - ')}`;
}

const LONGEST_BAR = 30;
const SHORTEST_BAR = 5;

/** The line for the terminal; it knows when training began, so that its ETA counts all epochs and their validation. */
export class ProgressLine {
  readonly #epochs: number;
  readonly #start = performance.now();

  constructor(epochs: number) {
    this.#epochs = epochs;
  }

  /** ` 37/100 [=======>.......] - loss: 0.1437 - acc: 0.9400 - 512 pictures/s - ETA 1m 20s` */
  text({ epoch, step, steps, loss, accuracy, picturesPerSecond }: Progress, columns: number): string {
    const done = (epoch - 1 + step / steps) / this.#epochs;
    const elapsed = (performance.now() - this.#start) / 1000;
    const stepsDone = ` ${String(step).padStart(String(steps).length)}/${steps}`;
    const speed = `${picturesPerSecond.toFixed(picturesPerSecond < 10 ? 1 : 0)} pictures/s`;
    const rest = `loss: ${figure(loss)} - acc: ${figure(accuracy)} - ${speed} - ETA ${duration((elapsed * (1 - done)) / done)}`;
    const room = Math.min(LONGEST_BAR, columns - stepsDone.length - rest.length - ' [] - '.length);
    return room < SHORTEST_BAR ? `${stepsDone} - ${rest}` : `${stepsDone} ${bar(step / steps, room)} - ${rest}`;
  }
}

/** `[=====>........]` */
function bar(fraction: number, length: number): string {
  const filled = Math.floor(fraction * length);
  return `[${`${'='.repeat(filled)}${filled < length ? '>' : ''}`.padEnd(length, '.')}]`;
}

/** A duration as people say it: 45s, 3m 20s, 2h 05m. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}
