// Plots, from calls that were really made: drawn by the server, then by uPlot under the policy of every page.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { launch, openPage, password, providerKey, startBroker, startProvider, until } from './harness.mjs'

const shots = new URL('./shots/', import.meta.url).pathname
let provider, broker, browser, page, notes

before(async () => {
  mkdirSync(shots, { recursive: true })
  provider = await startProvider()
  broker = await startBroker(provider, { OPENAI_API_KEY: providerKey })
  browser = await launch()
  page = await openPage(browser)
  await page.goto(broker.link)
  await page.getByLabel('Your name').fill('Ada')
  await page.getByLabel('Sign-in name or email').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Become the owner' }).click()
  await page.getByRole('link', { name: 'Not now' }).click()
  await page.waitForURL('**/keys')
  notes = await app('https://notes.example.com')
  await call(notes, 'gpt-4o', 100_000) // $2.50 a million in, $10.00 a million out: $0.2501
  await call(await app('https://quill.example.org'), 'gpt-4o-mini', 100_000) // $0.15 and $0.60: $0.015006
})

after(async () => {
  await browser?.close()
  await broker?.stop()
  provider?.stop()
})

/** An app that was approved, with a token. */
async function app(appUrl, maxBudgetCents = 500) {
  const asked = await broker.ask({ appUrl, scope: { provider: 'openai', models: ['gpt-4o-mini', 'gpt-4o'], capabilities: ['chat'], maxBudgetCents, maxRequests: 200, rateLimit: 60 } })
  await broker.owner('POST', `/grants/${asked.id}/approve`, {})
  const { body } = await broker.call('POST', '/tokens', { grantId: asked.id, grantSecret: asked.secret })
  return { id: asked.id, token: body.token }
}

async function call({ token }, model, input, characters = 4 * input) {
  const { status, body } = await broker.call('POST', '/v1/chat/completions', { model, max_tokens: 50, messages: [{ role: 'user', content: `spend ${input} 10 ${'x'.repeat(characters)}` }] }, token)
  assert.equal(status, 200, JSON.stringify(body))
}

const quiet = () => assert.deepEqual(page.complaints.splice(0), [], 'the console is quiet')

/** Pictures of the open page: two widths, light and dark. */
async function picture(name) {
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 900 })
    for (const colorScheme of process.env.CI ? ['light'] : ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      await until('the plot is as wide as its place', () => page.evaluate(() => [...document.querySelectorAll('[data-plot]')].every(p => p.querySelector('canvas') && Math.abs(p.querySelector('.uplot').offsetWidth - p.clientWidth) < 2)))
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(wide <= 0, `${name} at ${width} scrolls sideways by ${wide} px`)
      if (!process.env.CI) await page.screenshot({ path: `${shots}${name}-${width}-${colorScheme}.png`, fullPage: true })
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 })
  await page.emulateMedia({ colorScheme: 'light' })
}

/** Whether colours of the page's table are on the canvas, each. A copy is read: reading the canvas itself again and again makes the browser warn. */
const painted = (...names) => page.evaluate(names => {
  const c = document.querySelector('[data-plot] canvas'), copy = Object.assign(document.createElement('canvas'), { width: c.width, height: c.height }), probe = document.createElement('i')
  const ink = copy.getContext('2d', { willReadFrequently: true }); ink.drawImage(c, 0, 0); document.body.append(probe)
  const all = ink.getImageData(0, 0, c.width, c.height).data
  const found = names.map(name => {
    probe.style.color = `var(${name})`
    const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number)
    for (let i = 0; i < all.length; i += 4) if (all[i + 3] === 255 && Math.abs(all[i] - r) + Math.abs(all[i + 1] - g) + Math.abs(all[i + 2] - b) < 6) return true
    return false
  })
  probe.remove()
  return found
}, names)

test('usage is drawn by app, read by keyboard, and taken away as CSV and JSON', async () => {
  await page.goto(broker.url + '/usage')
  await page.locator('[data-plot] canvas').waitFor()
  assert.equal(await page.locator('[data-plot] svg').count(), 0, 'uPlot has taken the place of the drawing')
  assert.deepEqual(await page.locator('.key li').allInnerTexts(), ['notes.example.com', 'quill.example.org'])
  assert.deepEqual(await painted('--p1', '--p2', '--p3'), [true, true, false], 'two apps are drawn, each in its colour')
  const plot = page.getByRole('group', { name: /^Plot\./ })
  await plot.focus()
  await page.keyboard.press('ArrowLeft') // the newest day
  const read = page.locator('figure [aria-live]')
  assert.match(await read.textContent(), /^\w{3} \d+ \w{3,4}, notes\.example\.com \$0\.2501, quill\.example\.org \$0\.0151, Together \$0\.2652$/)
  const first = await read.textContent()
  await page.keyboard.press('ArrowLeft')
  await until('the day before is read', async () => (await read.textContent()) !== first)
  assert.match(await read.textContent(), /Together \$0\.00$/)
  await plot.blur()
  await picture('usage')
  await page.emulateMedia({ colorScheme: 'dark' })
  await until('it is drawn again in the dark', async () => (await painted('--p1'))[0])
  await page.emulateMedia({ colorScheme: 'light' })
  for (const [name, has] of [['CSV', `,${notes.id},openai,gpt-4o,1,250100,0,100000,10`], ['JSON', '"settledMicroUsd":250100']]) {
    const [got] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: `Download ${name}` }).click()])
    assert.ok(readFileSync(await got.path(), 'utf8').includes(has), `${name} has the call`)
  }
  quiet()
})

test('an app is drawn as steps against its cap', async () => {
  await page.goto(`${broker.url}/grants/${notes.id}`)
  await page.locator('[data-plot] canvas').waitFor()
  assert.deepEqual(await painted('--p1', '--bad'), [true, true], 'what was spent, and the cap')
  const plot = page.getByRole('group', { name: /^Plot\./ })
  await plot.focus()
  await page.keyboard.press('ArrowLeft') // now
  assert.match(await page.locator('figure [aria-live]').textContent(), /UTC, Spent \$0\.2501, Cap \$5\.00$/)
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  assert.match(await page.locator('figure [aria-live]').textContent(), /UTC, Spent \$0\.00, Cap \$5\.00$/, 'as it was approved')
  await plot.blur()
  await page.getByText('As a table').click()
  await page.getByRole('row', { name: /\$0\.2501 \$0\.2501$/ }).waitFor()
  await picture('grant-plot')
  quiet()
})

test('a notice stands on top of the apps until it is dismissed; a token is ended', async () => {
  const small = await app('https://small.example.net', 2)
  await call(small, 'gpt-4o', 3600, 3600)
  await call(small, 'gpt-4o', 2900, 2900) // $0.01645 of $0.02 together
  await page.goto(broker.url + '/')
  const notice = page.getByRole('listitem').filter({ hasText: '80 % of its money is spent' })
  await until('the notice is there', async () => (await notice.count()) === 1 || !(await page.reload()))
  assert.match(await notice.innerText(), /small\.example\.net, \$0\.01645 of \$0\.02 is spent/)
  await picture('notices')
  await notice.getByRole('button', { name: /^Dismiss/ }).click()
  await page.getByText('Gone from this page.').waitFor()
  assert.equal(await notice.count(), 0)
  await page.reload()
  assert.equal(await notice.count(), 0, 'it stays away')
  await page.goto(`${broker.url}/grants/${small.id}`)
  await page.getByText('80 % of its money is spent').waitFor()
  await page.getByRole('button', { name: /^End the token given/ }).click()
  await page.getByText('The token has ended: no call was running.').waitFor()
  assert.equal(await page.getByRole('heading', { name: 'Tokens it holds' }).count(), 0)
  const { status } = await broker.call('POST', '/v1/chat/completions', { model: 'gpt-4o', max_tokens: 5, messages: [{ role: 'user', content: 'spend 1 1' }] }, small.token)
  assert.equal(status, 401)
  quiet()
})

test('where the script cannot read, the drawing of the server stays', async () => {
  await page.route('**/usage/plot*', r => r.fulfill({ status: 500, body: 'no' }))
  await page.goto(broker.url + '/usage?range=24h&by=model')
  await page.waitForLoadState('networkidle')
  assert.equal(await page.locator('[data-plot] svg rect').count(), 2)
  assert.deepEqual(await page.locator('.key li').allInnerTexts(), ['gpt-4o', 'gpt-4o-mini'])
  await page.unroute('**/usage/plot*')
  page.complaints.length = 0 // the status of the answer is shown in the console
})

test('uPlot is what its package has', async () => {
  await page.goto(broker.url + '/usage')
  for (const [selector, file] of [['script[src*="/uplot."]', 'uPlot.iife.min.js'], ['link[href*="/uplot."]', 'uPlot.min.css']]) {
    const path = await page.locator(selector).first().evaluate(e => e.src || e.href)
    const served = Buffer.from(await (await fetch(path)).arrayBuffer())
    assert.ok(served.equals(readFileSync(new URL(`./node_modules/uplot/dist/${file}`, import.meta.url))), file)
  }
  await page.goto(broker.url + '/')
  assert.equal(await page.locator('script[src*="plot"]').count(), 0, 'no other page has it')
  quiet()
})
