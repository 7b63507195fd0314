/**
 * A folder of JPEGs to a trained network, from the start of the process: 10 epochs with shear, zoom and flip. Keras decodes
 * the pictures in every epoch, as its generator does; PyTorch and beltnet decode them once.
 */
import { beltnetTrain, withCache } from '../command.mjs';
import { NotMeasured, PeerProcess } from '../peer-process.mjs';
import { buildNetwork } from '../networks.mjs';
import { ourCommands } from '../peers.mjs';
import { adamFor, pictureFolder } from '../problem.mjs';
import { Quiet } from '../quiet.mjs';
import { median } from '../statistics.mjs';

const architecture = buildNetwork().config();
const training = { size: 64, batch: 32, epochs: 10, shear: 10, zoom: 0.2, flip: true };

export const endToEnd = {
  id: 'end-to-end',
  tables: [{ id: 'end-to-end', title: 'Folder of JPEGs to trained network, 10 epochs, s', ours: ourCommands }],
  run: (context, device, save) => withCache((cache) => measure(context, device, save, cache)),
};

async function measure(context, device, save, cache) {
  const { count, width, height } = context.pictures;
  const one = { text: `${count} pictures of ${width}×${height}`, batch: training.batch };
  const directory = await pictureFolder(context.pictures);
  const others = context.peers.filter((peer) => peer.device === device && peer.trainsFolders);
  const trainings = [
    { id: ourCommands[device], train: () => withCache((fresh) => trainBeltnet(directory, device, fresh)) },
    { id: `${ourCommands[device]}-again`, train: () => trainBeltnet(directory, device, cache) },
    ...others.map((peer) => ({ id: peer.id, train: () => trainPeer(peer, context, directory) })),
  ];
  await trainBeltnet(directory, device, cache, ['--epochs', '1', '--steps-per-epoch', '1']); // fills the cache
  const rounds = context.quick ? 1 : Math.min(3, context.rounds);
  const quiet = await Quiet.begin(context);
  const found = new Map(trainings.map(({ id }) => [id, { samples: [], disturbed: 0 }]));
  for (let round = 0; round < rounds; round++) {
    for (const { id, train } of trainings) {
      const its = found.get(id);
      if (its.error) continue;
      context.progress(`end-to-end (${device}): round ${round + 1}/${rounds}, ${id}`);
      try {
        const { result, disturbed } = await quiet.measure(train);
        checkLearned(result.losses);
        its.samples.push(result.milliseconds / 1000);
        if (disturbed) its.disturbed++;
        its.losses = result.losses;
      } catch (error) {
        its.error = error instanceof NotMeasured ? error.message : `ERROR: ${error.message}`;
      }
    }
  }
  const cells = [...found].map(([peer, { error, ...its }]) => ({
    ...{ measure: 'end-to-end', one, peer },
    ...(error ? { error } : { median: median(its.samples), ...its }),
  }));
  await save(cells);
}

/** Augmentation and order differ from peer to peer, so the losses do; but each must have learned. */
function checkLearned(losses) {
  const [first, last] = [losses[0], losses.at(-1)];
  if (!(losses.length === training.epochs && last < first))
    throw new Error(`it did not learn: losses ${losses.join(', ')}`);
}

async function trainBeltnet(directory, device, cache, shorter = []) {
  const { batch, epochs, size, shear, zoom } = training;
  const options = [
    ...['--batch', String(batch), '--epochs', String(epochs), '--size', `${size}x${size}`],
    ...['--shear', `${shear}deg`, '--zoom', String(zoom), '--horizontal-flip', ...shorter],
  ];
  const { milliseconds, events } = await beltnetTrain(directory, device, { options, cache });
  return { milliseconds, losses: events.filter(({ event }) => event === 'epoch').map(({ loss }) => loss) };
}

async function trainPeer(peer, context, directory) {
  const start = performance.now();
  const child = new PeerProcess(peer, context.threads);
  try {
    await child.open();
    context.noteVersion(child);
    const { losses } = await child.call('trainFolder', { directory, architecture, ...training, adam: adamFor() });
    return { milliseconds: performance.now() - start, losses };
  } finally {
    child.stop();
  }
}
