/** Settings of the server of a line: `serve` in line.json. */
import * as v from 'valibot';

const text = v.pipe(v.string('a text'), v.nonEmpty('a text'));
const port = v.pipe(
  v.number('a port from 0 to 65535'),
  v.integer('a port from 0 to 65535'),
  v.minValue(0, 'a port from 0 to 65535'),
  v.maxValue(65_535, 'a port from 0 to 65535'),
);

export const serveSettings = v.strictObject({
  /** Any other address wants `tokenFile`, `tlsCertificate` and `tlsKey`. */
  host: v.optional(text, '127.0.0.1'),
  port: v.optional(port, 8080),
  /** Names by which the server may be called: belt-3.factory. */
  names: v.optional(v.array(text), []),
  /** Who says the token in this file may hand in pictures, acknowledge alarms and change models. */
  tokenFile: v.optional(text),
  /** Who says the token in this file may look: wall screens, Prometheus. */
  readTokenFile: v.optional(text),
  tlsCertificate: v.optional(text),
  tlsKey: v.optional(text),
});
export type LineServeSettings = v.InferOutput<typeof serveSettings>;
