// The example app as `aipassport demo` serves it, in a real browser: from a press to a mood through the broker. They run in this order on
// one demo, without a network: what the page asks of other hosts is answered here.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launch, openPage, password, until } from './harness.mjs'

const shots = new URL('./shots/', import.meta.url).pathname
let dir, demo, browser, page, app, broker, ended

before(async () => {
  mkdirSync(shots, { recursive: true })
  dir = mkdtempSync(join(tmpdir(), 'aipassport-mood-'))
  demo = spawn(process.env.AIPASSPORT_BIN, ['demo', '--yes', '--no-browser'], { env: { PATH: process.env.PATH, HOME: dir, PORT: '0' } })
  ended = new Promise(done => demo.on('exit', done))
  let story = ''
  await new Promise((done, failed) => {
    demo.stdout.on('data', text => { if (/repo-mood, is at \S+/.test(story += text)) done() })
    demo.on('exit', code => failed(new Error(`the demo ended with ${code}:\n${story}`)))
  })
  app = /repo-mood, is at (\S+)/.exec(story)[1]
  const setup = /\S+\/setup\?token=\S+/.exec(story)[0]
  broker = new URL(setup).origin
  browser = await launch()
  page = await openPage(browser)
  await page.goto(setup)
  await page.getByLabel('Your name').fill('Ada')
  await page.getByLabel('Sign-in name or email').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Become the owner' }).click()
  await page.getByRole('link', { name: 'Not now' }).click()
  await page.waitForURL('**/keys')
  await page.goto(app)
})

after(async () => {
  await browser?.close()
  demo?.kill('SIGTERM')
  await ended
  if (dir) rmSync(dir, { recursive: true, force: true })
})

// A first proof has no nonce yet: the console shows the 400 or 401 that asks for one (RFC 9449 section 8).
const quiet = () => assert.deepEqual(page.complaints.splice(0).filter(c => !/status of 40[01] /.test(c)), [], 'the console is quiet')
const alert = words => page.getByRole('alert').filter({ hasText: words }).waitFor()
const left = () => page.locator('#left').innerText()

async function picture(name) {
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 900 })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.ok(wide <= 0, `${name} at ${width} scrolls sideways by ${wide} px`)
    await page.screenshot({ path: `${shots}${name}-${width}.png`, fullPage: true })
  }
  await page.setViewportSize({ width: 1280, height: 900 })
}

async function ask(repo = 'demo/garden') {
  await page.getByLabel('Repository').fill(repo)
  await page.getByRole('button', { name: 'Read the mood' }).click()
}

/** The mood that the ring shows. */
const mood = word => page.locator('[data-state=done] #word').filter({ hasText: word }).waitFor()

/** Presses connect, and answers on the consent page by `press`. */
async function connect(press) {
  const opened = page.context().waitForEvent('page')
  await page.getByRole('button', { name: 'Connect with AIPassport' }).click()
  const consent = await opened
  await consent.waitForURL('**/consent/*')
  await press(consent)
}

const more = () => page.getByRole('button', { name: 'Ask for more' })

/** Adds on the consent page what is asked for. */
async function add(consent) {
  await consent.waitForURL('**/consent/*')
  await consent.getByRole('button', { name: /^Add more\s*as chosen/ }).click()
}

async function approve(consent) {
  await consent.getByLabel(/I started this myself/).check()
  await consent.getByRole('button', { name: /^Approve/ }).click()
}

test('nothing is asked of a model before access is given', async () => {
  await page.getByText('This is the demo').waitFor()
  await picture('mood-idle')
  await ask()
  await alert('Connect with AIPassport first')
  assert.equal(await page.locator('#ring path').count(), 28)
  quiet()
})

test('what cannot be read is said in words', async () => {
  await ask('not a repository')
  await alert('owner/repo')
  await ask('demo/nowhere')
  await alert('no public repository of that name')
  await page.route('**/github/repos/**', r => r.fulfill({ status: 403, headers: { 'x-ratelimit-remaining': '0' }, body: '{}' }))
  await ask()
  await alert('60 times an hour')
  await page.unroute('**/github/repos/**')
  page.complaints.length = 0 // the statuses of the refusals are shown in the console
})

test('deny gives nothing', async () => {
  await connect(consent => consent.getByRole('button', { name: /^Deny\b.*give nothing/s }).click())
  await alert('No access was given')
  assert.equal(await left(), '')
  quiet()
})

test('from a press to a mood, until the calls are used up, and back', async () => {
  await connect(async consent => {
    await consent.getByText(/^Calls and speed/).click()
    await consent.getByRole('spinbutton', { name: 'Calls', exact: true }).fill('2')
    await approve(consent)
  })
  await until('what is left is shown', async () => (await left()).includes('2 calls left'))
  await ask()
  await mood('thriving')
  assert.match(await page.locator('#reading').innerText(), /42 commits this month and 7 pull requests/)
  assert.equal(await page.locator('[data-signal=issues]').innerText(), '18', 'pull requests are no issues')
  assert.equal(await page.evaluate(() => getComputedStyle(document.getElementById('ring').parentElement).getPropertyValue('--mood')), '#1D9E75')
  await until('less is left', async () => (await left()).includes('1 call left'))
  await picture('mood-thriving')
  await page.reload() // the access outlives the page, the key does not leave the browser
  await until('the session is taken up', async () => (await left()).includes('1 call left'))
  await ask('demo/inbox')
  await mood('overwhelmed')
  assert.equal(await page.locator('[data-signal=issues]').innerText(), '100 or more')
  await picture('mood-overwhelmed')
  quiet()
  await ask('demo/attic')
  await alert('What was granted is spent')
  await picture('mood-spent')
  page.complaints.length = 0
  const opened = page.context().waitForEvent('page')
  await more().click()
  await add(await opened)
  await until('there are calls again', async () => (await left()).includes('200 calls left'))
  await more().waitFor({ state: 'hidden' })
  await ask('demo/attic')
  await mood('abandoned')
  quiet()
  await page.getByRole('button', { name: 'Give the access back' }).click()
  await page.getByRole('button', { name: 'Connect with AIPassport' }).waitFor()
  await ask()
  await alert('Connect with AIPassport first')
  quiet()
})

test('in this tab: where windows are blocked the page is left, and goes on where it was', async () => {
  await page.evaluate(() => { window.open = () => null })
  await page.getByLabel('Repository').fill('demo/attic')
  await page.getByRole('button', { name: 'Connect with AIPassport' }).click()
  await page.waitForURL('**/consent/*')
  await page.getByRole('button', { name: /^Deny\b.*give nothing/s }).click()
  await alert('No access was given')
  assert.equal(page.url(), app, 'nothing of the answer stays in the address')
  assert.equal(await page.getByLabel('Repository').inputValue(), 'demo/attic')
  assert.ok(await page.getByLabel('in this tab').isChecked(), 'it stays with what works')

  await page.getByRole('button', { name: 'Connect with AIPassport' }).click()
  await page.waitForURL('**/consent/*')
  await page.getByText(/^Calls and speed/).click()
  await page.getByRole('spinbutton', { name: 'Calls', exact: true }).fill('1')
  await approve(page)
  await until('what is left is shown', async () => (await left()).includes('1 call left'))
  assert.equal(await more().isVisible(), false, 'nothing is used yet')
  await picture('mood-connected')
  await page.getByRole('button', { name: 'Read the mood' }).click()
  await mood('abandoned')

  await more().click()
  await page.waitForURL('**/consent/*')
  await page.getByRole('button', { name: /^Keep as it is/ }).click()
  await alert('Nothing was added')
  await until('what was given before is still there', async () => (await left()).includes('0 calls left'))
  await more().click()
  await page.waitForURL('**/consent/*')
  await add(page)
  await until('more is left', async () => (await left()).includes('200 calls left'))
  const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage }))
  assert.ok(kept.includes('demo/attic') && !/ey|token|code/i.test(kept), kept)
  quiet()
})

test('revoked by the person, the page says that the access is over', async () => {
  const grants = await openPage(browser, { storageState: await page.context().storageState() })
  await grants.goto(broker + '/grants')
  await grants.getByRole('link', { name: /^Revoke/ }).first().click()
  await grants.getByRole('button', { name: /^Revoke now/ }).click()
  await grants.getByText(/Revoked/).first().waitFor()
  await grants.context().close()
  await ask()
  await alert('The access is over')
  page.complaints.length = 0
})

test('a pasted token works, and is asked for', async () => {
  const call = async (path, body, token) => (await fetch(broker + path, { method: 'POST', headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }, body: JSON.stringify(body) })).json()
  const asked = await call('/grant-requests', { appName: 'repo-mood', appUrl: app, reason: 'To read a mood.', scope: { provider: 'sandbox', models: ['sandbox-small'], capabilities: ['chat'], maxBudgetCents: 10, maxRequests: 5, rateLimit: 30 } })
  const consent = await openPage(browser, { storageState: await page.context().storageState() })
  await consent.goto(asked.consentUrl)
  await approve(consent)
  await consent.getByText('Approved').first().waitFor()
  await consent.context().close()
  const { token } = await call('/tokens', { grantId: asked.grant.id, grantSecret: asked.grantSecret })
  await page.getByLabel('A token that you paste').check()
  await ask()
  await alert('Paste a token first')
  await page.getByLabel('Token', { exact: true }).fill(token)
  await ask('demo/attic')
  await mood('abandoned')
  await picture('mood-token')
  quiet()
})

test('directly: the key goes to Anthropic alone, and a model is believed no more than it may be', async () => {
  let sent, says
  await page.route('https://api.anthropic.com/v1/messages', r => {
    sent = r.request()
    return r.fulfill({ contentType: 'application/json', headers: { 'access-control-allow-origin': '*' }, body: JSON.stringify({ content: [{ type: 'text', text: says }] }) })
  })
  await page.getByLabel('Your Anthropic key, directly').check()
  await page.getByLabel('Anthropic API key').fill('sk-ant-canary')
  says = JSON.stringify({ mood: 'focused', reading: '<img src=x onerror=alert(1)> ' + 'word '.repeat(100) })
  await ask()
  await mood('focused')
  const headers = await sent.allHeaders()
  assert.equal(headers['x-api-key'], 'sk-ant-canary')
  assert.equal(headers['anthropic-dangerous-direct-browser-access'], 'true')
  const reading = await page.locator('#reading').innerText()
  assert.ok(reading.startsWith('<img src=x') && reading.length <= 200, reading)
  assert.equal(await page.locator('figure img').count(), 0, 'words are shown as words')
  await picture('mood-long')
  for (const [bad, words] of [['{"mood":"constructor","reading":"x"}', 'does not exist'], ['I feel great', 'form that it was asked for'], ['{"mood":"focused"}', 'no reading']]) {
    says = bad
    await ask()
    await alert(words)
  }
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]) + document.cookie)
  assert.ok(!stored.includes('sk-ant'), 'the key is not kept')
  quiet()
})

test('who wants less motion sees none, and a phone is asked in its tab', async () => {
  const still = await openPage(browser, { reducedMotion: 'reduce', hasTouch: true, isMobile: true })
  await still.goto(app)
  assert.ok(await still.getByLabel('in this tab').isChecked())
  await still.evaluate(() => { document.getElementById('figure').dataset.state = 'loading' })
  assert.equal(await still.locator('#ring g').evaluate(g => getComputedStyle(g).animationName), 'none')
  await still.context().close()
})
