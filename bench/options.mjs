/** The command line of `npm run bench`. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { measures } from './measures.mjs';
import { networkBatches } from './networks.mjs';
import { ours, peers } from './peers.mjs';

const devices = ['cpu', 'webgpu'];
const measureNames = measures.map(({ id }) => id);
const networkNames = Object.keys(networkBatches);
const peerNames = peers.map(({ id }) => id);

const usage = `npm run bench -- [options]

  --quick            shorter rounds, fewer pictures, the slow peers left out, nothing written
  --json             print the results as JSON instead of tables
  --table            measure nothing, print the tables of the latest results
  --measure NAMES    only these of ${measureNames.join(', ')}
  --device NAMES     only cpu or webgpu
  --network NAMES    of the measure 'networks', only these of ${networkNames.join(', ')}
  --peer NAMES       only these peers, and beltnet: ${peerNames.join(', ')}
  --batch SIZES      instead of 10, 32, 128 (training) and 1, 32, 128 (inference)
  --rounds N         default 10
  --pictures N       in the folder of the whole trainings; default 2000, with --quick 200
  --threads N        for each peer; default: all cores
  --help

Names and sizes are separated by commas. With --quick or --peer nothing is written to bench/results/.`;

/** Ends the process for --help, and with exit code 2 and a message for what cannot be used. */
export function readOptions() {
  const { values } = parse();
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const some = (name, known) => {
    const chosen = values[name]?.split(',') ?? known;
    const unknown = chosen.find((one) => !known.includes(one));
    return unknown === undefined ? chosen : fail(`--${name}: expected some of ${known.join(', ')}, got '${unknown}'`);
  };
  const whole = (name, text) =>
    /^[1-9]\d*$/.test(text) ? Number(text) : fail(`--${name}: expected a whole number above 0, got '${text}'`);
  const wholeOr = (name, otherwise) => (values[name] === undefined ? otherwise : whole(name, values[name]));
  return {
    ...{ quick: values.quick, json: values.json, table: values.table },
    ...{ measures: some('measure', measureNames), devices: some('device', devices) },
    peers: values.peer === undefined ? null : [...some('peer', peerNames), ...Object.values(ours)],
    networks: values.network === undefined ? null : some('network', networkNames),
    batches: values.batch?.split(',').map((text) => whole('batch', text)),
    rounds: wholeOr('rounds', 10),
    pictures: wholeOr('pictures', values.quick ? 200 : 2000),
    threads: wholeOr('threads', availableParallelism()),
  };
}

function parse() {
  const [flag, text] = [{ type: 'boolean', default: false }, { type: 'string' }];
  try {
    return parseArgs({
      options: {
        ...{ quick: flag, json: flag, table: flag, help: flag },
        ...{
          measure: text,
          device: text,
          network: text,
          peer: text,
          batch: text,
          rounds: text,
          pictures: text,
          threads: text,
        },
      },
    });
  } catch (error) {
    return fail(error.message);
  }
}

function fail(message) {
  console.error(`${message}\n\n${usage}`);
  process.exit(2);
}
