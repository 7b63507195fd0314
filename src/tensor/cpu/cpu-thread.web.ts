/** A helping thread of the CPU device in browsers: the program of the worker. */
import { serve, type ThreadData } from './cpu-threads.js';

addEventListener('message', ({ data }: MessageEvent<ThreadData>) => void serve(data), { once: true });
