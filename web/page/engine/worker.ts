/** The engine's worker: its rooms, and calls that come and go by messages. */
import { DeviceLostError, UsageError } from '../../../src/index.js';
import type { FileRoom } from './files.js';
import { shapeOf, transferables, type Answer, type Call } from './messages.js';
import { PictureRoom } from './pictures.js';
import { ProjectRoom } from './projects.js';
import type { DeviceState, Engine, Machine, Proof, StorageState } from './protocol.js';
import { Session } from './session.js';
import { openStore } from './store.js';
import { TrainingRoom } from './training.js';
import { TrialRoom } from './trial.js';

type Rooms = Omit<Engine, 'on' | 'close' | 'machine'> & {
  readonly machine: Omit<Machine, 'persist'>;
  /** After a device was lost: the next call opens another. */
  readonly onLost: () => Promise<void>;
};

const answer = (message: Answer, handedOver: Transferable[] = []): void =>
  postMessage(message, { transfer: handedOver });

async function openRooms(): Promise<Rooms> {
  const store = await openStore(() =>
    session.tell('trouble', {
      kind: 'storage',
      message: 'the browser has taken away what was kept here; save the project as a file before the page is closed',
    }),
  );
  const session: Session = new Session(store, (event, data) => answer({ event, data }));
  const trial = new TrialRoom(session);
  const training = new TrainingRoom(session);
  const pictures = new PictureRoom(session);
  const projects = new ProjectRoom(session, pictures, training);
  // What is needed seldom is loaded when it is.
  const files = onDemand<FileRoom>(async () => new (await import('./files.js')).FileRoom(session, projects, trial));
  const proof = onDemand<Proof>(async () => new (await import('./proof.js')).ProofRoom(session, trial));
  training.onProject = () => projects.changed();
  const machine: Omit<Machine, 'persist'> = {
    device: (): Promise<DeviceState> => session.deviceState(),
    async chooseDevice(name) {
      if (training.isBusy) throw new UsageError('device: expects no training at work, got one; pause it first');
      await trial.close();
      await session.takeDevice(name);
      return session.deviceState();
    },
    storage: (): Promise<StorageState> => session.storage(),
  };
  const onLost = async (): Promise<void> => {
    await trial.close();
    await session.takeDevice(session.choiceName);
    session.tell('trouble', {
      kind: 'device',
      message: 'the device was lost (its driver was reset, or it is gone); another is opened when it is needed',
    });
  };
  training.onLost = onLost;
  return { machine, projects, pictures: withPreview(pictures, training), training, trial, proof, files, onLost };
}

/** A room whose methods load it first. */
function onDemand<Room extends object>(open: () => Promise<Room>): Room {
  let room: Promise<Room> | null = null;
  const ask =
    (method: string) =>
    async (...given: unknown[]): Promise<unknown> => {
      room ??= open();
      room.catch(() => (room = null));
      const methods = (await room) as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
      return methods[method](...given);
    };
  return new Proxy({} as Room, { get: (_, method) => ask(String(method)) });
}

/** Pictures as a training sees them: of both rooms. */
function withPreview(pictures: PictureRoom, training: TrainingRoom): Rooms['pictures'] {
  return Object.assign(pictures, { preview: training.preview.bind(training) });
}

const rooms = openRooms();

addEventListener('message', ({ data: { id, room, method, given } }: MessageEvent<Call>) => {
  void (async () => {
    try {
      const open = (await rooms) as unknown as Record<
        string,
        Record<string, (...given: unknown[]) => Promise<unknown>>
      >;
      const result = await open[room][method](...given);
      answer({ id, result }, transferables(result));
    } catch (error) {
      if (error instanceof DeviceLostError) await (await rooms).onLost();
      answer({ id, error: shapeOf(error) });
    }
  })();
});
