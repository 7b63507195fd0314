/**
 * An engine that only says things, for states of the screens that are hard to bring about: `?fake=full` and the like. The product never
 * sees it; what is right and wrong is tested with the real one.
 */
import type {
  Engine,
  EngineEvents,
  EvaluatedPicture,
  Explained,
  Judged,
  ModelState,
  PictureEntry,
  ProjectState,
  TrainingStatus,
} from '../../web/page/engine/protocol.js';

type Mutable<Of> = { -readonly [Name in keyof Of]: Of[Name] };

export function openEngine(): Promise<Engine> {
  const wants = new URLSearchParams(location.search);
  const state = wants.get('fake') ?? '';
  const amount = Number(wants.get('pictures') ?? 800);
  const listeners: { [Name in keyof EngineEvents]?: ((event: EngineEvents[Name]) => void)[] } = {};
  const tell = <Name extends keyof EngineEvents>(name: Name, event: EngineEvents[Name]): void =>
    listeners[name]?.forEach((listener) => listener(event));
  const hash = '3f2a9c41d07be85512aa0c6f9e1d4b7788c3e2f1a0b9d8c7e6f5a4b3c2d1e0f9';
  const idle: TrainingStatus = { phase: 'none', run: null, epoch: 0, epochs: 0, message: null, command: null };

  const pictures: Mutable<PictureEntry>[] = [];
  const fill = (count: number): void => {
    for (let id = 0; id < count; id++) {
      const name = id % 4 === 0 ? 'gap' : 'ok';
      const part = id % 7 === 3 ? 'validation' : 'training';
      const badges =
        id % 97 === 5
          ? [
              {
                kind: 'duplicates',
                severity: 'warning',
                message: '8 pictures are copies of others.',
                advice: 'Keep one of each.',
              } as const,
            ]
          : id % 201 === 7
            ? [
                {
                  kind: 'leak',
                  severity: 'problem',
                  message: '3 pictures stand in training and held-back pictures.',
                  advice: 'Remove them from one side.',
                } as const,
              ]
            : [];
      pictures.push({
        id,
        file: `${name}/${String(id).padStart(4, '0')}.jpg`,
        class: name,
        part,
        partIsGiven: false,
        width: 96,
        height: 64,
        bytes: 3100,
        badges,
      });
    }
  };
  let project: Mutable<ProjectState> | null = null;
  const best = {
    epoch: 9,
    loss: 0.041,
    accuracy: 0.988,
    valLoss: 0.06,
    valAccuracy: 0.983,
    balancedAccuracy: 0.981,
    seconds: 2.1,
    learningRate: 1e-3,
  };
  const lineOf = (epoch: number): { record: typeof best; line: string } => {
    const loss = 0.7 * Math.exp(-epoch / 3) + 0.03;
    const record = {
      ...best,
      epoch,
      loss,
      accuracy: 1 - loss / 3,
      valLoss: loss * 1.15 + 0.01,
      valAccuracy: 1 - loss / 2.6,
      balancedAccuracy: 1 - loss / 2.4,
    };
    return {
      record,
      line: ` - 2s - 25ms/step - accuracy: ${record.accuracy.toFixed(4)} - loss: ${loss.toFixed(4)} - val_accuracy: ${record.valAccuracy.toFixed(4)} - val_loss: ${record.valLoss.toFixed(4)}`,
    };
  };
  let epochs: ReturnType<typeof lineOf>[] = [];
  const model: Mutable<ModelState> = {
    run: 'run-1',
    classNames: ['gap', 'ok'],
    size: { width: 64, height: 64 },
    alert: { className: 'gap', threshold: 0.5, reason: null },
    calibrated: false,
    tellsUnknown: true,
    parameters: 813_217,
    weightsHash: hash,
  };
  const make = (name: string, count: number, trained: boolean): ProjectState => {
    pictures.length = 0;
    fill(count);
    const gap = pictures.filter((picture) => picture.class === 'gap').length;
    epochs = trained ? Array.from({ length: 12 }, (_, at) => lineOf(at + 1)) : [];
    project = {
      id: 1,
      name,
      settings: { region: null, exif: false, alertClass: 'gap' },
      classes:
        count > 0
          ? [
              { name: 'gap', pictures: gap },
              { name: 'ok', pictures: count - gap },
            ]
          : [],
      runs: trained
        ? [
            {
              name: 'run-1',
              started: new Date().toISOString(),
              what: 'mission, 64×64, 12 epochs',
              epochs: 12,
              best,
              imported: false,
              hasModel: true,
            },
          ]
        : [],
      run: trained ? 'run-1' : null,
      training: trained
        ? {
            ...idle,
            phase: 'finished',
            run: 'run-1',
            epoch: 12,
            epochs: 12,
            command: 'beltnet train belt --epochs 12 --horizontal-flip --alert-class gap --name run-1',
          }
        : idle,
    };
    return project;
  };
  if (state === 'collected' || state === 'full') make('Line 3', amount, false);
  if (['trained', 'alert', 'unknown', 'error'].includes(state)) make('Line 3', amount, true);

  const judged = (alarm: number, unknown = false): Judged => ({
    class: alarm > 0.5 ? 'gap' : 'ok',
    probability: Math.max(alarm, 1 - alarm),
    probabilities: { gap: alarm, ok: 1 - alarm },
    alert: alarm >= model.alert.threshold,
    unlike: unknown ? 1.8 : 0.4,
    unknown,
    milliseconds: 6.2,
  });
  const evaluatedPictures = (): EvaluatedPicture[] =>
    pictures
      .filter(({ part }) => part === 'validation')
      .map(({ id, file, class: label }) => {
        const wrong = id % 31 === 0;
        const alarm = (label === 'gap') !== wrong ? 0.97 - (id % 13) / 40 : 0.02 + (id % 17) / 60;
        return {
          id,
          file,
          label,
          class: alarm > 0.5 ? 'gap' : 'ok',
          probability: Math.max(alarm, 1 - alarm),
          alarm,
          alert: alarm >= model.alert.threshold,
          unknown: id % 59 === 3,
        };
      });
  const belt = (id: number, side: number, gap: boolean): OffscreenCanvas => {
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
    context.fillStyle = `hsl(${30 + (id % 20)} 12% ${28 + (id % 9)}%)`;
    context.fillRect(0, 0, side, side);
    for (let at = 0; at < 5; at++) {
      if (gap && at === 2) continue;
      context.fillStyle = `hsl(${28 + ((id * 7 + at * 13) % 18)} 60% ${55 + ((id + at) % 12)}%)`;
      context.beginPath();
      context.roundRect(
        side * (0.04 + at * 0.19),
        side * (0.3 + ((id + at) % 5) / 60),
        side * 0.16,
        side * 0.4,
        side * 0.05,
      );
      context.fill();
    }
    return canvas;
  };
  const wait = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));
  const later = async <Result>(result: Result, time = 5): Promise<Result> => {
    await wait(time);
    return result;
  };
  const fail = (kind: string, message: string): Promise<never> =>
    Promise.reject(Object.assign(new Error(message), { kind }));

  const kept = { kind: 'kept', persisted: false, used: 41e6, quota: 9.3e9, warning: null } as const;
  const engine = {
    machine: {
      device: () =>
        later({
          kind: 'cpu',
          name: 'WebAssembly SIMD',
          threads: crossOriginIsolated ? 8 : 1,
          adapter: null,
          reason: 'no hardware GPU adapter was found',
          crossOriginIsolated,
          hasWebGpu: 'gpu' in navigator && state !== 'no-webgpu',
        }),
      chooseDevice: () =>
        fail(
          'NoDeviceError',
          'webgpu: no adapter was found; install a graphics driver with Vulkan, Metal or Direct3D 12, or use the cpu device',
        ),
      storage: () => later(state === 'private' ? { ...kept, kind: 'memory', used: null, quota: null } : kept),
      persist: () => later({ ...kept, persisted: true }),
    },
    projects: {
      list: () =>
        later(
          project
            ? [{ id: 1, name: project.name, pictures: pictures.length, runs: project.runs.length, changed: Date.now() }]
            : [],
        ),
      create: (name: string) => later(make(name, 0, false)),
      open: () => later(project),
      current: () => later(project),
      configure: (settings: object) =>
        later(
          (project = {
            ...(project as ProjectState),
            settings: { ...(project as ProjectState).settings, ...settings },
          }),
        ),
      createExample: async () => {
        for (let done = 0; done <= 200; done += 20) {
          tell('progress', { work: 'example', done, total: 200 });
          await wait(20);
        }
        return make('Example belt', 200, false);
      },
      selectRun: () => later(project),
    },
    pictures: {
      add: (files: readonly { path: string }[]) =>
        state === 'full'
          ? fail('Quota', 'there is no room for 12 of 20 pictures (48 MB more); 8 are kept')
          : later({
              ids: files.map((_, at) => at),
              refused: files.map(({ path }) => ({
                path,
                reason: 'expects JPEG, PNG or BMP, got WebP; convert it: magick 1.webp 1.png',
              })),
            }),
      addFrame: () => later({ ids: [pictures.length], refused: [] }),
      list: () => later([...pictures]),
      thumbnails: async (ids: readonly number[]) =>
        Promise.all(ids.map((id) => createImageBitmap(belt(id, 96, id % 4 === 0)))),
      file: async (id: number) => ({ name: `${id}.png`, blob: await belt(id, 96, id % 4 === 0).convertToBlob() }),
      remove: (ids: readonly number[]) => {
        const gone = new Set(ids);
        pictures.splice(0, pictures.length, ...pictures.filter(({ id }) => !gone.has(id)));
        return later(undefined);
      },
      audit: () => fail('Defect', 'not here'),
      preview: async () => {
        const canvas = new OffscreenCanvas(8 * 64 + 56, 64);
        const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
        for (let at = 0; at < 8; at++) context.drawImage(belt(at * 5, 64, at % 3 === 0), at * 72, 0);
        return createImageBitmap(canvas);
      },
    },
    training: {
      defaults: () =>
        later({
          network: 'darknet-tiny',
          size: { width: 64, height: 64 },
          epochs: 12,
          batchSize: 8,
          learningRate: 1e-3,
          augmentation: { horizontalFlip: true, zoom: 0.1 },
          balanceClasses: false,
          earlyStopping: null,
          seed: 0,
          reproducible: false,
          name: '',
        }),
      start: () => {
        const status = (phase: TrainingStatus['phase'], epoch: number): TrainingStatus => ({
          ...idle,
          phase,
          run: 'run-1',
          epoch,
          epochs: 12,
        });
        const run = async (): Promise<void> => {
          for (let epoch = 1; epoch <= 5; epoch++) {
            tell('training', status('running', epoch));
            await wait(30);
            tell('epoch', { ...lineOf(epoch), isBest: true });
          }
          tell('training', status('running', 6));
          tell('step', {
            epoch: 6,
            step: 40,
            steps: 85,
            loss: 0.1234,
            accuracy: 0.9612,
            picturesPerSecond: 310,
          });
        };
        void run();
        return later(status('running', 1));
      },
      status: () => later(idle),
      epochs: () => later(epochs),
    },
    trial: {
      model: () => later(project?.run ? { ...model } : null),
      classify: () =>
        state === 'error'
          ? fail(
              'DataError',
              'picture: JPEG cannot be decoded: its data ends at byte 300 of 3,104; take it anew from the camera',
            )
          : later(judged(state === 'alert' ? 0.962 : 0.031, state === 'unknown')),
      heatMap: async (): Promise<Explained> => {
        const canvas = belt(4, 256, true);
        const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
        const glow = context.createRadialGradient(128, 128, 5, 128, 128, 70);
        glow.addColorStop(0, 'rgb(252 200 60 / 80%)');
        glow.addColorStop(1, 'rgb(90 20 110 / 0%)');
        context.fillStyle = glow;
        context.fillRect(0, 0, 256, 256);
        return { className: 'gap', overlay: await createImageBitmap(canvas), side: 8, heat: new Uint8Array(64) };
      },
      evaluation: () => {
        const all = evaluatedPictures();
        const names = ['gap', 'ok'];
        return later({
          use: 'validation',
          classNames: names,
          confusion: names.map((label) =>
            names.map((taken) => all.filter((one) => one.label === label && one.class === taken).length),
          ),
          figures: {},
          balancedAccuracy: 0.98,
          intervals: {
            accuracy: { low: 0.91, high: 0.99 },
            missRate: { low: 0.001, high: 0.09 },
            falseAlarmRate: null,
          },
          isNoEvidence: false,
          unknown: 2,
          pictures: all,
          unjudged: [],
        });
      },
      chooseThreshold: () => later({ threshold: 0.12 }),
      decide: () => engine.trial.setThreshold(0.12),
      setThreshold: (threshold: number): Promise<unknown> => {
        model.alert = { ...model.alert, threshold };
        return later({ ...model });
      },
    },
    proof: {
      gradcheck: async () => {
        const checks = Array.from({ length: 40 }, (_, at) => ({
          name: `conv2d forward, sample ${at}`,
          passed: true,
          error: (at % 9) / 10,
          tolerance: 1e-5,
        }));
        for (const check of checks) tell('check', check);
        return later({ device: 'WebAssembly SIMD', passed: true, checks });
      },
      compare: () =>
        later({
          tolerance: 1e-4,
          passed: true,
          worstDifference: 3.1e-7,
          classNames: ['gap', 'ok'],
          onlyThere: [],
          onlyHere: ['gap/0001.jpg'],
          pictures: pictures.slice(0, 40).map(({ id, file }) => ({
            id,
            file,
            here: [0.91234567, 0.08765433],
            there: [0.91234598, 0.08765402],
            difference: 3.1e-7,
            pixelsHere: hash,
            pixelsThere: hash,
          })),
        }),
      trainAgain: () =>
        later({ weightsHash: hash, equal: true, command: 'beltnet train belt --reproducible --epochs 12 --seed 0' }),
      stop: () => later(undefined),
    },
    files: {},
    on: <Name extends keyof EngineEvents>(name: Name, listener: (event: EngineEvents[Name]) => void) => {
      const all: unknown[] = (listeners[name] ??= []);
      all.push(listener);
      return () => {};
    },
    close: () => {},
  };
  return Promise.resolve(engine as unknown as Engine);
}
