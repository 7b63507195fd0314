/** A sign for each lamp, which is told from the others without its colour. */
const shapes = {
  ok: '<circle cx="12" cy="12" r="10.4"/><path d="M6.8 12.6l3.5 3.6 7-7.6"/>',
  alarm: '<path d="M12 2.2 23 21.4H1z"/><path d="M12 9v6M12 17.6v1"/>',
  fault: '<rect x="2.2" y="2.2" width="19.6" height="19.6" rx="2.4"/><path d="M7.4 7.4l9.2 9.2M16.6 7.4l-9.2 9.2"/>',
  'no verdict':
    '<circle cx="12" cy="12" r="10.4" stroke-dasharray="3.6 2.2"/><path d="M8.6 9.4a3.5 3.5 0 1 1 5 3.1c-1 .5-1.6 1.2-1.6 2.5M12 17.2v1"/>',
};

/** @param {string} lamp */
export const signOf = (lamp) =>
  `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.3" stroke-linecap="round" stroke-linejoin="round">${
    shapes[lamp] ?? shapes['no verdict']
  }</svg>`;

export const words = { ok: 'OK', alarm: 'Alarm', fault: 'Fault', 'no verdict': 'No verdict' };

/** `camera-lost` as people read it. @param {string} fault */
export const faultName = (fault) => fault.replaceAll('-', ' ');
