/** A model that is right by construction, and lines that watch with it. */
import { writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import {
  changeModelFile,
  Dense,
  Flatten,
  saveModel,
  Sequential,
  startLine,
  withVerdicts,
  type Line,
  type LineEvent,
  type LineOptions,
  type ModelInfo,
  type Section,
} from 'beltnet';

const SIDE = 8;

export const info: ModelInfo = {
  classNames: ['dark', 'bright'],
  preprocessing: { interpolation: 'box', rescale: 1 / 255 },
  alert: { className: 'bright', threshold: 0.5 },
};

/** A bright picture is an alert: probability sigmoid(20 · (mean − middle)). */
export async function writeBrightnessModel(
  path: string,
  sections: Readonly<Record<string, Section>> = {},
  middle = 0.45,
): Promise<void> {
  const model = new Sequential(
    [new Flatten({ inputShape: [SIDE, SIDE, 3] }), new Dense(1, { activation: 'sigmoid' })],
    {
      seed: 1,
    },
  );
  const weights = await model.getWeights();
  const set = Object.entries(weights).map(([name, weight]) => {
    const value = name.endsWith('kernel') ? 20 / (SIDE * SIDE * 3) : -20 * middle;
    return [name, { ...weight, data: new Float32Array(weight.data.length).fill(value) }];
  });
  model.setWeights(Object.fromEntries(set) as typeof weights);
  await saveModel(path, model, { ...info, sections });
  // What it says of a grey and of a white picture, computed here.
  const levels = [100, 255];
  const pictures = Uint8Array.from(levels.flatMap((level) => Array.from({ length: SIDE * SIDE * 3 }, () => level)));
  const bright = levels.map((level) => 1 / (1 + Math.exp(-20 * (level / 255 - middle))));
  const probabilities = Float32Array.from(bright.flatMap((p) => [1 - p, p]));
  await changeModelFile(path, path, (given) => withVerdicts(given, { pictures, probabilities }, SIDE, SIDE));
}

export interface Watched {
  readonly line: Line;
  readonly events: LineEvent[];
  /** Waits until something holds. */
  until(this: void, holds: () => boolean): Promise<void>;
  of<Kind extends LineEvent['kind']>(this: void, kind: Kind): Extract<LineEvent, { kind: Kind }>[];
}

/** A line that ends with the test. */
export async function watch(config: object | string, options: LineOptions = {}): Promise<Watched> {
  const line = await startLine(config, options);
  onTestFinished(() => line.close());
  const events: LineEvent[] = [];
  line.onEvent((event) => void events.push(event));
  return {
    line,
    events,
    until: (holds) => until(holds, () => JSON.stringify(events.slice(-5))),
    of: (kind) => events.filter((event) => event.kind === kind) as never,
  };
}

/** @param seen what to say when it never holds */
export async function until(holds: () => boolean, seen: () => string = () => '', seconds = 60): Promise<void> {
  const end = performance.now() + 1000 * seconds;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`it does not come to hold: ${seen()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const writeConfig = (path: string, config: object): void => writeFileSync(path, JSON.stringify(config));
