/** From the start of a process to the end of its first training step, and the peak memory of a short training. */
import { beltnetTrain, withCache } from '../command.mjs';
import { NotMeasured, PeerProcess } from '../peer-process.mjs';
import { ourCommands } from '../peers.mjs';
import { adamFor, pictureFolder, writeProblem } from '../problem.mjs';
import { Quiet } from '../quiet.mjs';
import { median } from '../statistics.mjs';

const BATCH = 32;
/** Steps of the training whose peak memory is taken. */
const STEPS = 30;

export const startUp = {
  id: 'start-up',
  tables: [
    { id: 'start-up', title: 'Start of the process to the end of the first training step, s', ours: ourCommands },
    { id: 'memory', title: `Peak memory of ${STEPS} training steps, MB`, ours: ourCommands },
  ],
  run: (context, device, save) => withCache((cache) => measure(context, device, save, cache)),
};

async function measure(context, device, save, cache) {
  const directory = await writeProblem({ batch: BATCH });
  const folder = await pictureFolder(context.pictures);
  await startTraining(folder, device, cache); // fills the cache
  const others = context.peers.filter((peer) => peer.device === device && peer.trains !== false && !peer.slow);
  const starts = [
    { id: ourCommands[device], start: () => startTraining(folder, device, cache) },
    ...others
      .filter(({ id }) => !id.startsWith('beltnet'))
      .map((peer) => ({ id: peer.id, start: () => startPeer(peer, context, directory) })),
  ];
  const quiet = await Quiet.begin(context);
  const found = new Map(starts.map(({ id }) => [id, { seconds: [], megabytes: [], disturbed: 0, error: null }]));
  for (let round = 0; round < context.rounds; round++) {
    for (const { id, start } of starts) {
      const its = found.get(id);
      if (its.error) continue;
      context.progress(`start-up (${device}): round ${round + 1}/${context.rounds}, ${id}`);
      try {
        const { result, disturbed } = await quiet.measure(start);
        its.seconds.push(result.milliseconds / 1000);
        its.megabytes.push(result.peakBytes / 1e6);
        if (disturbed) its.disturbed++;
      } catch (error) {
        its.error = error instanceof NotMeasured ? error.message : `ERROR: ${error.message}`;
      }
    }
  }
  for (const [peer, { seconds, megabytes, disturbed, error }] of found) {
    const cell = (id, text, samples) =>
      error
        ? { measure: id, one: { text, batch: BATCH }, peer, error }
        : { measure: id, one: { text, batch: BATCH }, peer, median: median(samples), samples, disturbed };
    await save([cell('start-up', 'start-up, s', seconds), cell('memory', 'peak memory, MB', megabytes)]);
  }
}

async function startTraining(folder, device, cache) {
  const steps = (count) => ['--batch', String(BATCH), '--epochs', '1', '--steps-per-epoch', String(count)];
  const { events } = await beltnetTrain(folder, device, { options: steps(1), cache });
  const { milliseconds } = events.find(({ event }) => event === 'epoch'); // the model is on the disk by then, too
  const { peakBytes } = await beltnetTrain(folder, device, { options: steps(STEPS), cache });
  return { milliseconds, peakBytes };
}

async function startPeer(peer, context, directory) {
  const start = performance.now();
  const child = new PeerProcess(peer, context.threads);
  try {
    const { steps, adam: forms } = await child.open();
    await child.call('prepare', { directory, batch: BATCH, adam: { ...adamFor(), form: forms[0] } });
    await child.call('restart');
    await child.call('step', { way: steps[0], warm: 0, count: 1 });
    const milliseconds = performance.now() - start;
    await child.call('step', { way: steps[0], warm: 0, count: STEPS - 1 });
    context.noteVersion(child);
    return { milliseconds, ...(await child.call('memory')) };
  } finally {
    child.stop();
  }
}
