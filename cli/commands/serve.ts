/** `beltnet serve`: a model over HTTP, for programs. */
import { UsageError } from '../../src/errors.js';
import { readTlsFiles, readTokenFile, serveModel } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { batchFlag, deviceFlags, probability } from '../terminal/common-flags.js';
import { withDevice } from '../terminal/device.js';
import { reloadOnHangUp, stopInOrder } from '../terminal/interrupt.js';
import { filePath, nonEmpty, wholeNumber } from '../terminal/options.js';
import { count, note, Output } from '../terminal/output.js';
import { version } from '../version.js';

/** Milliseconds that requests under way have when the server is told to end. */
const DRAIN_TIME = 10_000;

export const command = defineCommand({
  operands: { '<model>': 'model.safetensors, or the folder of a run' },
  flags: {
    host: flag('<address>', 'where it listens; any other needs a token and TLS', nonEmpty, { default: '127.0.0.1' }),
    port: flag('<n>', 'its port; 0 takes one that is free', (name) => wholeNumber(name, 0, 65_535), { default: 8080 }),
    tokenFile: flag('<file>', 'who asks must say the token in this file (authorization: Bearer …)', filePath),
    tlsCert: flag('<file>', 'certificate, with those that lead to its root (PEM)', filePath),
    tlsKey: flag('<file>', 'its private key (PEM)', filePath),
    called: flag('<name>', 'a name by which the server may be called, such as belt-3.factory', nonEmpty),
    threshold: flag('<p>', "raise the alert from this probability on, in place of the model's own", probability),
    batch: batchFlag,
    ...deviceFlags,
    json: toggle('one JSON object a line on stdout: that it listens, and models that go live or are refused'),
  },
  notes:
    'POST /classify takes a picture (JPEG, PNG, BMP) and answers with its verdict. /openapi.json describes everything; /health and /ready are\n' +
    'for supervisors. SIGHUP, or POST /model/reload, takes the model file anew: it goes live only if it gives its stored verdicts again\n' +
    '(parity --write), else the old one goes on. SIGTERM lets requests under way come to their end.',
  examples: [
    'beltnet serve runs/first',
    'curl --data-binary @picture.jpg http://127.0.0.1:8080/classify',
    'beltnet serve runs/first --host 0.0.0.0 --called belt-3.factory --token-file token --tls-cert cert.pem --tls-key key.pem',
  ],
  async run([given], options) {
    const { host, port, tokenFile, tlsCert, tlsKey, called, threshold, batch: batchSize } = options;
    if ((tlsCert === undefined) !== (tlsKey === undefined))
      throw new UsageError(`--tls-cert: expects --tls-key beside it, got only one of the two`);
    const token = tokenFile === undefined ? undefined : readTokenFile(tokenFile);
    const tls = tlsCert === undefined || tlsKey === undefined ? undefined : readTlsFiles(tlsCert, tlsKey);
    const output = new Output(options);
    return withDevice(options, async (device) => {
      const served = await serveModel(given, {
        ...{ host, port, token, tls, names: called === undefined ? [] : [called], version: version() },
        model: { device, batchSize, ...(threshold !== undefined && { threshold }) },
      });
      const { model } = served;
      const said = (): string => {
        const { name, file, reproduced } = model.facts;
        return `${file} (${name}), ${reproduced ? `${count(reproduced.pictures, 'stored verdict')} given again` : 'without stored verdicts'}`;
      };
      output.emit({ event: 'listening', url: served.url, model: model.facts });
      output.say(`${served.url}: POST /classify; ${said()}`);
      // Only writers need it where nobody gave one: nobody could know it otherwise.
      if (token === undefined) output.say(`Token for changes: ${served.token}`);
      const reload = (): void =>
        void model.reload().then(
          (facts) => {
            output.emit({ event: 'model', ...facts });
            output.say(`Live: ${said()}`);
          },
          (error: Error) => {
            output.emit({ event: 'refused', ...model.refused });
            note(`beltnet: ${error.message}; ${model.facts.name} goes on`);
          },
        );
      const stopReloading = reloadOnHangUp(reload);
      const { stopCode } = await stopInOrder(
        'Requests under way come to their end; Ctrl-C again stops at once.',
        (signal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
      );
      stopReloading();
      await served.close(DRAIN_TIME);
      return stopCode ?? 0;
    });
  },
});
