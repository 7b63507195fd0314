/** What all parts of the page share: the report, and what of its pictures is shown. */
import { byId } from '../shared/dom.js';

export const PAGE = 48;
export const page = { report: JSON.parse(byId('report-data').textContent) };
export const view = { set: null, filter: 'mistakes', cell: null, limit: PAGE, heat: true };

export const places = (set) => [...set.files.keys()];
export const own = (set, n) => set.probabilities[n][set.labels[n]];
export const sure = (set, n) => set.probabilities[n][set.taken[n]];
export const isAlert = (set, n) => page.report.classNames[set.labels[n]] === page.report.alert.className;
