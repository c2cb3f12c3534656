// Every page by axe-core (https://github.com/dequelabs/axe-core), at two widths, light and dark; none scrolls sideways at 320 px or with
// text of twice the size, and no console has a complaint. Pages that nobody lists here are found by the links to them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { launch, openPage, startBroker, startProvider } from './harness.mjs'
import { furnish, links, scenes, setUp } from './scenes.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
let provider, broker, browser, page, zoom, it
const seen = new Set() // kinds of pages: paths with ids left out
const wrong = []

before(async () => {
  provider = await startProvider()
  broker = await startBroker(provider, { AIPASSPORT_GRANT_REQUESTS_PER_MINUTE: '200' })
  browser = await launch()
  page = await openPage(browser)
  zoom = await page.context().newCDPSession(page)
  page.on('request', r => { if (!r.isNavigationRequest() && new URL(r.url()).origin !== broker.url) wrong.push(`${page.url()} asks for ${r.url()}`) })
})

after(async () => {
  it?.stop()
  await browser?.close()
  await broker?.stop()
  provider?.stop()
})

const kind = path => path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[\w-]*[0-9A-Z][\w-]{15,}/g, ':id')
/** By how much the page is wider than its window, once scripts have drawn it anew: at most 30 frames later. */
const wide = () => page.evaluate(async () => {
  const by = () => document.documentElement.scrollWidth - document.documentElement.clientWidth
  for (let n = 0; n < 30 && by() > 0; n++) await new Promise(next => requestAnimationFrame(next))
  return by()
})

// The rules whose outcome depends on the width or on the colours. What axe finds by any other is the same at 1280 and 360, light and dark.
const narrow = { runOnly: ['color-contrast', 'link-in-text-block', 'target-size', 'scrollable-region-focusable', 'button-name', 'link-name', 'label', 'page-has-heading-one'] }

/** Runs axe on the open page; what is serious or worse goes to `wrong`. */
async function judge(name, width, colorScheme, options) {
  await page.setViewportSize({ width, height: 900 })
  await page.emulateMedia({ colorScheme })
  if (!await page.evaluate('window.axe')) await page.evaluate(axe)
  const found = await page.evaluate(o => window.axe.run({ resultTypes: ['violations'], ...o }).then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => [v.id, ...v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))])), options)
  for (const [rule, ...nodes] of found) wrong.push(`${name} at ${width}, ${colorScheme}: ${rule}: ${nodes.join(' | ')}`)
}

/** All that is asked of a page. */
async function look(name) {
  seen.add(kind(new URL(page.url()).pathname))
  const size = await page.evaluate(() => performance.getEntriesByType('navigation')[0].decodedBodySize)
  if (!(size > 0 && size <= 25_000)) wrong.push(`${name} has ${size} bytes`)
  await judge(name, 1280, 'light', {})
  await zoom.send('Page.setFontSizes', { fontSizes: { standard: 32, fixed: 26 } })
  const zoomed = await wide()
  if (zoomed > 0) wrong.push(`${name} scrolls sideways by ${zoomed} px with text of twice the size`)
  await zoom.send('Page.setFontSizes', { fontSizes: { standard: 16, fixed: 13 } })
  await judge(name, 360, 'dark', narrow)
  await page.setViewportSize({ width: 320, height: 900 })
  const narrowed = await wide()
  if (narrowed > 0) wrong.push(`${name} scrolls sideways by ${narrowed} px at 320`)
  for (const c of page.complaints.splice(0)) wrong.push(`${name}: the console says ${c}`)
}

test('no page has a serious finding, scrolls sideways or complains', async () => {
  await page.goto(broker.link)
  await look('setup')
  await setUp(broker, page)
  await look('the step after it')
  for (const path of ['/', '/keys', '/usage']) {
    await page.goto(broker.url + path)
    await look(`${path} of a new broker`)
  }
  it = await furnish(broker, page)
  page.complaints.length = 0
  const queue = new Set()
  for (const [name, open] of Object.entries(scenes(broker, page, it))) {
    await open().catch(e => wrong.push(`${name}: ${e}`))
    await look(name)
    for (const path of await links(page)) queue.add(path)
  }
  for (const path of queue) {
    if (seen.has(kind(path))) continue
    await page.goto(broker.url + path)
    await look(path)
    for (const more of await links(page)) queue.add(more)
  }
  await page.context().clearCookies()
  await page.goto(broker.url + '/login')
  await look('sign-in')
  assert.deepEqual(wrong, [])
})
