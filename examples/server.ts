/** A picture in, its verdict out: curl --data-binary @picture.jpg http://localhost:8080 */
import { createServer } from 'node:http';
import { DataError, loadClassifier } from 'beltnet';

const [model = 'runs/run-1', port = '8080'] = process.argv.slice(2);
const classifier = await loadClassifier(model);

async function answer(upload: AsyncIterable<Buffer>): Promise<[status: number, body: object]> {
  const parts: Buffer[] = [];
  for await (const part of upload) if (parts.push(part) > 1000) return [413, { error: 'a picture of a few megabytes' }];
  return [200, await classifier.classify(Buffer.concat(parts))];
}

export const server = createServer((request, response) => {
  void answer(request)
    .catch((error: Error) => [error instanceof DataError ? 422 : 500, { error: error.message }] as const)
    .then(([status, body]) => response.writeHead(status).end(JSON.stringify(body)));
}).listen(Number(port), '127.0.0.1');
