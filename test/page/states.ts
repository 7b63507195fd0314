/** Every state of the screens, and how to bring it about with the engine that only says things. */
import type { Page } from 'playwright';

const chooseFile = async (page: Page, button: string, name: string): Promise<void> => {
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByRole('button', { name: button, exact: true }).click(),
  ]);
  await chooser.setFiles({ name, mimeType: 'application/octet-stream', buffer: Buffer.from('x') });
};
const fromScratch = (page: Page): Promise<void> => page.getByText('From scratch').click();
const openMistake = (page: Page): Promise<void> => page.locator('.mistakes button').first().click();
const device = (page: Page): Promise<void> => page.getByRole('button', { name: 'What this page computes on' }).click();

export interface State {
  /** The engine's, and the screen's. */
  readonly place: string;
  /** What is there when the state is reached. */
  readonly seen: string;
  readonly act?: (page: Page) => Promise<unknown>;
  /** Default true. */
  readonly isolated?: false;
}

export const states: Readonly<Record<string, State>> = {
  empty: { place: '#pictures', seen: 'text=Show it what is right' },
  pictures: { place: '?fake=collected#pictures', seen: '.thumbnail' },
  collecting: {
    place: '?fake=collected#pictures',
    seen: 'video',
    act: (page) => page.getByRole('button', { name: 'Camera', exact: true }).click(),
  },
  train: { place: '?fake=collected#train', seen: 'text=Start training' },
  scratch: { place: '?fake=collected#train', seen: 'text=Augmentation', act: fromScratch },
  training: {
    place: '?fake=collected#train',
    seen: 'text=epoch 6 of 12',
    act: async (page) => {
      await fromScratch(page);
      await page.getByRole('button', { name: 'Start training' }).click();
    },
  },
  trained: { place: '?fake=trained#train', seen: '.log' },
  waiting: { place: '?fake=trained#try', seen: 'text=Waiting for a picture' },
  quiet: { place: '?fake=trained#try', seen: 'text=No alarm', act: openMistake },
  alert: { place: '?fake=alert#try', seen: 'text=Alarm: gap', act: openMistake },
  unknown: { place: '?fake=unknown#try', seen: 'text=have somebody look', act: openMistake },
  error: { place: '?fake=error#try', seen: 'text=No verdict', act: openMistake },
  prove: {
    place: '?fake=trained#prove',
    seen: 'text=The same bits.',
    act: async (page) => {
      await page.getByRole('button', { name: 'Check this device' }).click();
      await page.getByRole('button', { name: 'Train again' }).click();
      await chooseFile(page, 'Choose predictions.csv', 'predictions.csv');
      await page.getByText('Largest difference').waitFor();
    },
  },
  files: { place: '?fake=trained#files', seen: 'text=Model: ONNX' },
  'one thread': { place: '?fake=trained#files', seen: 'text=computes on one thread', act: device, isolated: false },
  'no WebGPU': { place: '?fake=no-webgpu#pictures', seen: 'text=has no WebGPU', act: device },
  full: {
    place: '?fake=full#pictures',
    seen: 'text=There is no room left',
    act: async (page) => {
      await page.getByRole('button', { name: 'Add pictures' }).click();
      await chooseFile(page, 'Files', '1.png');
    },
  },
  private: { place: '?fake=private#pictures', seen: 'text=Nothing is kept' },
};
