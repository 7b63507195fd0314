/** What comes in pieces: frames of ffmpeg, picture files on standard input, answers of cameras; and what ffmpeg does when it fails. */
import { execFileSync, spawn } from 'node:child_process';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { PictureSplitter } from '../../src/line/sources/picture-splitter.js';
import { PpmReader } from '../../src/line/sources/ppm-reader.js';
import { noisyPng, program, startBeltnet } from '../cli/run-beltnet.js';
import { plainJpeg, temporaryFolder } from '../data/make-pictures.js';
import { freePort } from './peers.js';
import { until, watch, writeBrightnessModel } from './support.js';

const pieces = (bytes: Uint8Array, length: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, n) => bytes.subarray(n * length, (n + 1) * length));

describe('pieces', () => {
  const frames = [3, 5].map((width) => ({
    width,
    height: 2,
    data: Uint8Array.from({ length: width * 6 }, (_, n) => n * width),
  }));
  const ppm = Buffer.concat(frames.flatMap(({ width, data }) => [Buffer.from(`P6\n${width} 2\n255\n`), data]));

  test.each([1, 2, 7, 1000])('frames of PPM, %i bytes at a time', (length) => {
    const reader = new PpmReader();
    expect(pieces(ppm, length).flatMap((piece) => reader.take(piece))).toEqual(frames);
  });

  test('other bytes are no frames', () => {
    expect(() => new PpmReader().take(Buffer.alloc(100, 65))).toThrow('expects frames as PPM pictures');
    expect(() => new PpmReader().take(Buffer.from('P6\n99999999 9999999\n255\n'))).toThrow('pixels');
  });

  test.each([1, 13, 4096])(
    'picture files one behind the other, with rubbish between them, %i bytes at a time',
    (length) => {
      const thumbnail = plainJpeg(8, 8, 50);
      // A JPEG within a JPEG, as cameras put thumbnails: its end is not the picture's.
      const app = Buffer.concat([
        Buffer.from([0xff, 0xe1, (thumbnail.length + 2) >> 8, (thumbnail.length + 2) & 255]),
        thumbnail,
      ]);
      const plain = plainJpeg(24, 16, 200);
      const nested = Buffer.concat([plain.subarray(0, 2), app, plain.subarray(2)]);
      const files = [plain, noisyPng('dark', 1), nested, noisyPng('bright', 2), plain];
      const stream = Buffer.concat([files[0], Buffer.from('??'), ...files.slice(1)]);
      const splitter = new PictureSplitter();
      const found = pieces(stream, length).flatMap((piece) => splitter.take(piece));
      expect(found.map((one) => Buffer.from(one).toString('base64'))).toEqual(
        files.map((one) => one.toString('base64')),
      );
      expect(splitter.takePassed()).toBe(2);
    },
  );
});

let servers: Server[] = [];
afterEach(() => {
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
  servers = [];
});

async function serverOf(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const lineOf = (model: string, source: object, more: object = {}) => ({
  models: { model },
  cameras: [{ name: 'camera', source, noVerdictSeconds: 60, ...more }],
  device: 'cpu',
});

async function modelIn(folder: string): Promise<string> {
  const path = join(folder, 'model.safetensors');
  await writeBrightnessModel(path);
  return path;
}

describe('a camera that answers requests', () => {
  test('has its verdicts; what it answers else is a fault, and its password is in no message', async () => {
    const model = await modelIn(temporaryFolder());
    let [number, broken] = [0, false];
    let asked: string | undefined;
    const url = await serverOf((request, response) => {
      asked = request.headers.authorization;
      response.statusCode = broken ? 503 : 200;
      response.end(noisyPng(number++ % 2 === 0 ? 'dark' : 'bright', number));
    });
    const source = { kind: 'snapshot', url: `${url.replace('//', '//kim:secret%21@')}/now.png`, everySeconds: 0.05 };
    const { of, until: holds } = await watch(lineOf(model, source));
    await holds(() => of('verdict').length >= 4);
    expect(
      of('verdict')
        .slice(0, 4)
        .map(({ alert }) => alert),
    ).toEqual([false, true, false, true]);
    expect(asked).toBe(`Basic ${Buffer.from('kim:secret!').toString('base64')}`);
    broken = true;
    await holds(() => of('fault').length === 1);
    expect(of('fault')[0]).toMatchObject({
      fault: 'camera-lost',
      active: true,
      detail: expect.stringContaining('503'),
    });
    expect(JSON.stringify(of('fault'))).not.toContain('secret');
    broken = false;
    await holds(() => of('fault').some(({ active }) => !active));
  });
});

test('a camera that wants digest authentication is told of with the way out', async () => {
  const model = await modelIn(temporaryFolder());
  const url = await serverOf((_, response) => {
    response.setHeader('www-authenticate', 'Digest realm="camera", nonce="1", qop="auth"');
    response.statusCode = 401;
    response.end();
  });
  const { of, until: holds } = await watch(lineOf(model, { kind: 'snapshot', url, everySeconds: 0.05 }));
  await holds(() => of('fault').length === 1);
  expect(of('fault')[0].detail).toMatch(/wants digest authentication.*with the kind stream/);
});

test.each([
  ['/dev/video-none', /^\/dev\/video-none: there is no such device; is the camera plugged in/],
  ['/dev/null', /^\/dev\/null: .*v4l2: .*Inappropriate ioctl for device/], // what ffmpeg says of it
])('%s as a camera is one that is lost, in words', async (url, reason) => {
  const model = await modelIn(temporaryFolder());
  const { line, until: holds } = await watch(lineOf(model, { kind: 'stream', url }));
  const faults = () => line.state().cameras['camera'].faults;
  await holds(() => faults().length === 1);
  expect(faults()).toMatchObject([{ fault: 'camera-lost', detail: expect.stringMatching(reason) }]);
  expect(faults()[0].detail).not.toContain('0x');
});

describe('ffmpeg', () => {
  const child = (): number | null => {
    const own = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const found = own.find((pid) => {
      try {
        const parent = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
        return parent === String(process.pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('ffmpeg');
      } catch {
        return false;
      }
    });
    return found === undefined ? null : Number(found);
  };

  test('MJPEG: the newest frame wins; a hung ffmpeg is killed and started anew; a stream that ends comes back', async () => {
    const model = await modelIn(temporaryFolder());
    const frames = [40, 90, 60].map((grey) => plainJpeg(64, 48, grey));
    let [requests, number] = [0, 0];
    const url = await serverOf((_, response) => {
      requests++;
      response.setHeader('content-type', 'multipart/x-mixed-replace; boundary=frame');
      const timer = setInterval(() => {
        const jpeg = frames[number++ % frames.length];
        response.write(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
        response.write(jpeg);
        response.write('\r\n');
      }, 50);
      response.on('close', () => clearInterval(timer));
    });
    const source = { kind: 'stream', url, framesPerSecond: 10, hungSeconds: 1 };
    const { of, line, until: holds } = await watch(lineOf(model, source, { suspects: { frozenSeconds: 0 } }));
    await holds(() => of('verdict').length >= 3);
    expect(line.lastPicture('camera', 'all')).toMatchObject({ width: 64, height: 48 });
    // A busy machine may have begun with a fault of its own.
    const [before, asked, first] = [of('fault').length, requests, child() as number];
    const faults = () => of('fault').slice(before);
    process.kill(first, 'SIGSTOP'); // SIGTERM would wait for ever
    await holds(() => faults().some(({ fault, active }) => fault === 'camera-lost' && active));
    expect(faults()[0].detail).toContain('no frame for 1 s: it was killed');
    await holds(() => faults().some(({ active }) => !active));
    expect(requests).toBe(asked + faults().filter(({ active }) => active).length);
    expect(child()).not.toBe(first);
    const told = of('fault').length;
    const next = requests + 1;
    for (const server of servers) server.closeAllConnections();
    await holds(() => requests >= next && of('fault').length >= told + 2);
    await line.close();
    await until(() => child() === null);
  });

  test('RTSP: a camera that calls and pushes; nothing but what is allowed is opened', async () => {
    const folder = temporaryFolder();
    const model = await modelIn(folder);
    mkdirSync(join(folder, 'frames'));
    for (let n = 0; n < 20; n++) writeFileSync(join(folder, 'frames', `${n}.png`), noisyPng('bright', n, 160, 120));
    const video = join(folder, 'video.mp4');
    execFileSync(
      'ffmpeg',
      `-loglevel error -framerate 10 -i ${folder}/frames/%d.png -pix_fmt yuv420p ${video}`.split(' '),
    );
    const port = await freePort();
    const url = `rtsp://127.0.0.1:${port}/cam`;
    const { of, until: holds } = await watch(lineOf(model, { kind: 'stream', url, listen: true, framesPerSecond: 5 }));
    const push = `-loglevel quiet -re -stream_loop -1 -i ${video} -c copy -f rtsp -rtsp_transport tcp ${url}`.split(
      ' ',
    );
    let pushing = spawn('ffmpeg', push, { stdio: 'ignore' });
    const again = setInterval(() => {
      if (pushing.exitCode !== null) pushing = spawn('ffmpeg', push, { stdio: 'ignore' }); // nobody listened yet
    }, 300);
    onTestFinished(() => {
      clearInterval(again);
      pushing.kill('SIGKILL');
    });
    await holds(() => of('verdict').length >= 5);
    expect(of('verdict').every(({ class: given }) => given === 'bright')).toBe(true);

    const list = join(folder, 'list.txt'); // a playlist that names what nobody allowed
    let asked = 0;
    const elsewhere = await serverOf((_, response) => {
      asked++;
      response.end();
    });
    writeFileSync(list, `ffconcat version 1.0\nfile ${elsewhere}/x\n`);
    const other = await watch(lineOf(model, { kind: 'stream', url: list }));
    await other.until(() => other.of('fault').length > 0);
    expect(asked).toBe(0);
    expect(other.of('verdict')).toEqual([]);
  });
});

test('the command line: pictures on standard input have verdicts, and their end is its end', async () => {
  const folder = temporaryFolder();
  await modelIn(folder);
  expect(program).toContain('dist');
  const {
    child,
    finished,
    until: says,
  } = startBeltnet(['watch', 'model.safetensors', '-', '--json', '--device', 'cpu', '--record', 'record'], {
    cwd: folder,
  });
  await says('"started');
  child.stdin?.write(noisyPng('dark', 1));
  await says('"class":"dark"');
  child.stdin?.end(noisyPng('bright', 2));
  const { code, stdout } = await finished;
  expect([code, stdout.includes('"class":"bright"')]).toEqual([0, true]);
  const verified = startBeltnet(['verify-record', 'record', '--json'], { cwd: folder });
  expect(await verified.finished).toMatchObject({ code: 0, stdout: expect.stringContaining('"verdict":2') });
});
