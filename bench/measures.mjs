/** What is measured, in the order of the report. */
import { demo } from './measures/demo.mjs';
import { endToEnd } from './measures/end-to-end.mjs';
import { curvesMeasure } from './measures/curves.mjs';
import { inference } from './measures/inference.mjs';
import { networks } from './measures/networks.mjs';
import { scaling } from './measures/scaling.mjs';
import { startUp } from './measures/start-up.mjs';
import { trainStep } from './measures/train-step.mjs';

/**
 * @type {{
 *   id: string,
 *   tables: { id: string, title: string, ours: Record<string, string> }[], ours: the row that others are compared with
 *   run: (context: object, device: 'cpu' | 'webgpu', save: (cells: object[]) => void) => Promise<void>
 * }[]}
 */
export const measures = [trainStep, inference, networks, curvesMeasure, scaling, endToEnd, startUp, demo];
