/** `npm run measure`: tasks of more than 50 ms on the page's own thread while it trains, from the browser's performance timeline. */
import { chromium } from 'playwright';
import { findChromium } from './machine.mjs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './steps.mjs';

const { servePage } = await import(pathToFileURL(join(root, 'dist/src/index.node.js')).href);
const served = await servePage({ port: 0 });
const browser = await chromium.launch({ executablePath: findChromium() ?? '', args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
page.setDefaultTimeout(240_000);
await page.addInitScript(`
  globalThis.longTasks = [];
  new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: 'longtask', buffered: true });`);

/** Says the long tasks since the last time. */
async function say(what, began) {
  const tasks = await page.evaluate('longTasks.splice(0)');
  const longest = Math.max(0, ...tasks);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${what}: ${seconds} s; ${tasks.length} tasks above 50 ms, the longest ${longest} ms`);
}

let began = performance.now();
await page.goto(served.url);
await page.getByText('Try the example').waitFor();
await say('first load, until it can be used', began);
began = performance.now();
await page.getByText('Try the example').click();
await page.getByRole('link', { name: 'Pictures 200' }).waitFor();
await page.locator('.progress p').waitFor({ state: 'detached' });
await say('200 pictures made', began);
await page.getByRole('link', { name: /^Train/ }).click();
await page.getByText('From scratch').click();
await page.getByRole('spinbutton', { name: 'Epochs', exact: true }).fill('6');
await page.getByRole('button', { name: 'Start training' }).click();
began = performance.now();
await page.getByRole('button', { name: 'Try the model' }).waitFor();
await say('6 epochs trained from scratch', began);
await browser.close();
await served.close();
