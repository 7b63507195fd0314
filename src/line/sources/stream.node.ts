/**
 * Cameras and videos through the system's ffmpeg, as a child process that is expected to fail: it is told what it may open, read
 * without a pause, killed when no frame comes in time (a stopped one ignores anything milder), and started again, after longer waits
 * each time. Frames come as PPM pictures, each with its size, so that a camera may change it.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Picture } from '../../data/pictures/picture.js';
import type { SourceOf } from '../config.js';
import { Mailbox, type Frame, type Source, type SourceContext } from '../source.js';
import { PpmReader } from './ppm-reader.js';

/** So long a camera that calls is waited for, before the door is made anew. */
const CALLED_SECONDS = 300;
/** Connecting may take so many times as long as a frame. */
const FIRST_FRAME_FACTOR = 3;
const FIRST_BACK_OFF_MILLISECONDS = 500;
const LONGEST_BACK_OFF_MILLISECONDS = 30_000;
/** After so long with frames the next wait is a short one again. */
const STEADY_MILLISECONDS = 10_000;
const KEPT_ERROR_CHARACTERS = 400;

type Child = ChildProcessByStdio<null, Readable, Readable>;

interface Kind {
  /** Of what ffmpeg may open, whatever a stream or a playlist names. */
  readonly protocols: string;
  readonly options: readonly string[];
  /** Whether its end is the end, and no failure. */
  readonly ends: boolean;
  /** What must be there before ffmpeg is asked, in words; null for what is elsewhere. */
  readonly needs: string | null;
}

function kindOf(url: string): Kind {
  const low = ['-analyzeduration', '0', '-probesize', '32768', '-fpsprobesize', '0'];
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1].toLowerCase();
  if (scheme === 'rtsp' || scheme === 'rtsps')
    return {
      protocols: 'rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto',
      options: ['-rtsp_transport', 'tcp', ...low],
      ends: false,
      needs: null,
    };
  if (scheme === 'http' || scheme === 'https')
    return { protocols: 'http,https,httpproxy,tcp,tls,crypto', options: low, ends: false, needs: null };
  if (scheme !== undefined) return { protocols: `${scheme},tcp,udp,tls`, options: low, ends: false, needs: null };
  if (url.startsWith('/dev/')) {
    const needs = 'there is no such device; is the camera plugged in, and may this user see it?';
    return { protocols: 'file', options: ['-f', 'v4l2'], ends: false, needs };
  }
  return { protocols: 'file', options: ['-re'], ends: true, needs: 'there is no such file or folder' };
}

/** What ffmpeg prints, without the places in its memory of which it speaks. */
const inWords = (errors: string): string =>
  errors
    .trim()
    .replaceAll(/\[([^\]\n]*?) @ 0x[0-9a-f]+\]/g, '$1:')
    .replaceAll('\n', '; ');

export class StreamSource implements Source {
  readonly #config: SourceOf<'stream'>;
  readonly #context: SourceContext;
  readonly #kind: Kind;
  readonly #mailbox: Mailbox<Omit<Frame, 'cuts'>>;
  #child: Child | null = null;
  #watchdog: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #backOff = FIRST_BACK_OFF_MILLISECONDS;
  #isClosed = false;
  readonly #killAtExit = (): void => void this.#child?.kill('SIGKILL');

  constructor(config: SourceOf<'stream'>, context: SourceContext) {
    this.#config = config;
    this.#context = context;
    this.#kind = kindOf(config.url);
    this.#mailbox = new Mailbox(context.dropped);
    process.on('exit', this.#killAtExit);
    this.#start();
  }

  async next(): Promise<readonly Frame[]> {
    const frame = await this.#mailbox.next();
    if (frame === null) return [];
    return [{ ...frame, ...(await this.#context.look(frame.picture, frame.name)) }];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    clearTimeout(this.#watchdog);
    this.#child?.kill('SIGKILL');
    process.off('exit', this.#killAtExit);
    this.#mailbox.close();
  }

  #start(): void {
    const { url, listen, framesPerSecond, width, height, ffmpeg, hungSeconds } = this.#config;
    if (this.#kind.needs !== null && !existsSync(url)) {
      this.#again(this.#kind.needs);
      return;
    }
    const scale = width !== undefined || height !== undefined ? [`scale=${width ?? -2}:${height ?? -2}`] : [];
    const head = `-hide_banner -loglevel error -nostdin -protocol_whitelist ${this.#kind.protocols},pipe`.split(' ');
    const tail = '-pix_fmt rgb24 -c:v ppm -f image2pipe -flush_packets 1 pipe:1'.split(' ');
    const filters = [`fps=${framesPerSecond}`, ...scale].join(',');
    const listening = listen ? ['-rtsp_flags', 'listen'] : [];
    const given = [...head, ...this.#kind.options, ...listening, '-i', url, '-map', '0:v:0', '-vf', filters, ...tail];
    const child = spawn(ffmpeg, given, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const startedAt = this.#context.now();
    const reader = new PpmReader();
    let [errors, isEnded, hung] = ['', false, ''];
    const watch = (seconds: number): void => {
      clearTimeout(this.#watchdog);
      this.#watchdog = setTimeout(() => {
        hung = `no frame for ${seconds} s: it was killed`;
        child.kill('SIGKILL');
        child.stdout.destroy();
        end(hung);
      }, seconds * 1000);
    };
    const end = (reason: string): void => {
      if (isEnded) return;
      isEnded = true;
      clearTimeout(this.#watchdog);
      if (this.#context.now() - startedAt > STEADY_MILLISECONDS) this.#backOff = FIRST_BACK_OFF_MILLISECONDS;
      this.#again(reason);
    };
    child.stdout.on('data', (chunk: Buffer) => {
      if (isEnded) return;
      try {
        for (const picture of reader.take(chunk)) {
          this.#put(picture);
          watch(hungSeconds);
        }
      } catch (error) {
        hung = (error as Error).message;
        child.kill('SIGKILL');
      }
    });
    child.stderr.on(
      'data',
      (chunk: Buffer) => (errors = (errors + chunk.toString('utf8')).slice(-KEPT_ERROR_CHARACTERS)),
    );
    child.on('error', (error) => end(`${ffmpeg} cannot be started: ${error.message}; install ffmpeg`));
    child.on('close', (code, signal) => {
      if (this.#kind.ends && code === 0 && hung === '') this.#endOfFile();
      else end(hung || inWords(errors) || `ffmpeg ended (${signal ?? code})`);
    });
    watch(listen ? CALLED_SECONDS : hungSeconds * FIRST_FRAME_FACTOR);
  }

  #put(picture: Picture): void {
    const { now } = this.#context;
    const takenAt = new Date().toISOString();
    this.#mailbox.put({ name: 'frame', picture, bytes: null, takenAt, arrivedAt: now(), lateMilliseconds: 0 });
  }

  #endOfFile(): void {
    clearTimeout(this.#watchdog);
    this.#mailbox.close();
  }

  #again(reason: string): void {
    if (this.#isClosed) return;
    this.#context.fault('camera-lost', true, `${this.#config.url}: ${reason}`);
    this.#restart = setTimeout(() => this.#start(), this.#backOff);
    this.#backOff = Math.min(LONGEST_BACK_OFF_MILLISECONDS, 2 * this.#backOff);
  }
}
