// The built client in Chromium, in the page of an app on another origin, against the built broker. In this order, on one broker.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, openPage, providerKey, startBroker, until } from '../../../e2e/browser/harness.mjs'
import { sdkTests, typed } from './sdks.mjs'
import { setUp, startApp, startProvider } from './setup.mjs'

let provider, broker, browser, app, page, context, types
const calls = [] // "METHOD path" of all that pages send to the broker
const options = more => ({ broker: broker.url, appName: 'Notes', reason: 'To answer you.', ask: { provider: 'openai', models: ['gpt-4o-mini'], maxBudgetCents: 50, maxRequests: 100, rateLimit: 60 }, ...more })

before(async () => {
  provider = await startProvider()
  broker = await startBroker(provider, { GOOGLE_BASE_URL: provider.origin, OPENAI_API_KEY: providerKey, ANTHROPIC_API_KEY: providerKey, GOOGLE_API_KEY: providerKey })
  app = await startApp()
  app.broker = broker.url
  types = typed()
  browser = await launch()
  page = await openPage(browser)
  context = page.context()
  context.setDefaultTimeout(8000)
  page.setDefaultTimeout(8000)
  await setUp(page, broker)
  context.on('request', r => { if (r.url().startsWith(broker.url)) calls.push(`${r.method()} ${new URL(r.url()).pathname}`) })
})

after(async () => {
  await browser?.close()
  await broker?.stop()
  provider?.stop()
  app?.stop()
})

const status = async id => (await broker.owner('GET', `/grants/${id}`)).body.status
const settled = async id => (await broker.owner('GET', `/grants/${id}`)).body

/** Opens the app's page, which restores what there is; says what that was. */
async function open(p, more) {
  await p.goto(app.url)
  await p.evaluate(o => { localStorage.options = JSON.stringify(o) }, options(more))
  await p.goto(app.url)
  return p.evaluate(() => window.restored)
}

/** Starts to connect; `answer` becomes 'session' or the code of the error. */
const connect = (p, more) => p.evaluate(o => {
  const stop = new AbortController()
  window.stop = () => stop.abort()
  window.answer = window.client.connect({ ...window.options, ...o, signal: stop.signal }).then(s => { window.session = s; return 'session' }, e => e.code ?? String(e))
}, more)

async function approve(p) {
  await p.waitForURL('**/consent/*')
  await p.getByLabel(/I started this myself/).check()
  await p.getByRole('button', { name: /^Approve/ }).click()
}

/** Connects by a popup, which the person answers by `press`. */
async function byPopup(press, p = page) {
  const opened = context.waitForEvent('page')
  await connect(p, { mode: 'popup' })
  const popup = await opened
  await press(popup)
  return popup
}

/** One streamed call through OpenAI's own SDK in the page: what it said, or the status of its error. */
const chat = async p => {
  const said = await p.evaluate(() => window.run('openai', 'stream', 'Hello'))
  return said.type ? said.status ?? said.type : said
}

/** What IndexedDB holds of the session; `change` is merged into it. */
const kept = (p, change = {}) => p.evaluate(change => new Promise((done, fail) => {
  const r = indexedDB.open('aipassport')
  r.onerror = () => fail(r.error)
  r.onsuccess = () => {
    const s = r.result.transaction('session', 'readwrite').objectStore('session')
    const c = s.openCursor()
    c.onsuccess = () => {
      const v = c.result && { ...c.result.value, ...change }
      if (v && Object.keys(change).length > 0) c.result.update(v)
      s.transaction.oncomplete = () => { r.result.close(); done(v && { ...v, keys: undefined, extractable: v.keys.privateKey.extractable }) }
    }
  }
}), change)

test('by redirect: the page is left, comes back with a code, and goes on with a session', async () => {
  assert.equal(await open(page), 'nothing')
  await connect(page, { mode: 'redirect' })
  await approve(page)
  await page.waitForURL(app.url + '**')
  assert.equal(await page.evaluate(() => window.restored), 'session')
  assert.equal(page.url(), app.url, 'the code is not left in the address')
  const k = await kept(page)
  assert.equal(k.extractable, false, 'no script can read the key')
  assert.equal(await status(k.grantId), 'approved')
  assert.ok(calls.includes('POST /oauth/par'), 'the request was pushed')
})

test('a stream through the OpenAI SDK; what is left goes down', async () => {
  const before = await page.evaluate(() => window.session.standing())
  await page.evaluate(() => { window.changes = 0; window.session.addEventListener('change', () => window.changes++) })
  assert.equal(await chat(page), 'Good day.')
  const id = await page.evaluate(() => window.session.grantId)
  await until('it is settled', async () => (await settled(id)).reservedMicroUsd === 0)
  const after = await page.evaluate(() => window.session.standing())
  assert.ok(after.settledMicroUsd > 0 && after.remainingMicroUsd === before.remainingMicroUsd - after.settledMicroUsd, JSON.stringify(after))
  assert.equal(after.callsRemaining, before.callsRemaining - 1)
  assert.ok(await page.evaluate(() => window.changes) >= 2)
  assert.deepEqual(await page.evaluate(() => window.session.remaining), { microUsd: after.remainingMicroUsd, calls: after.callsRemaining })
})

test('the token goes to the broker only', async () => {
  const said = await page.evaluate(() => window.session.fetch(location.origin + '/elsewhere').then(r => r.status, e => String(e)))
  assert.match(said, /is not the broker/)
  const stolen = await kept(page)
  const used = await broker.call('GET', '/v1/grant', undefined, stolen.access)
  assert.equal(used.status, 401, 'without the key it is worth nothing')
})

test('two tabs refresh once, and both go on', async () => {
  const other = await context.newPage()
  await kept(page, { expires: 0 })
  await other.goto(app.url)
  assert.equal(await other.evaluate(() => window.restored), 'session')
  await page.goto(app.url)
  assert.equal(await page.evaluate(() => window.restored), 'session')
  const old = await kept(page)
  calls.length = 0
  assert.deepEqual(await Promise.all([chat(page), chat(other)]), ['Good day.', 'Good day.'])
  const next = await kept(page)
  assert.ok(next.access !== old.access && next.refresh !== old.refresh, 'both tokens are new')
  assert.ok(calls.filter(c => c === 'POST /oauth/token').length <= 2, 'one refresh, perhaps once more for its nonce')
  assert.equal(await status(next.grantId), 'approved', 'the refresh token was not used twice')
  await other.close()
})

test('answers that nobody here asked for are refused', async () => {
  for (const q of [`code=c&state=unknown&iss=${broker.url}`, `error=access_denied&state=unknown&iss=${broker.url}`]) {
    await page.goto(app.url + '?' + q)
    assert.equal(await page.evaluate(() => window.restored), 'invalid_state')
  }
})

test('an answer that names another issuer is refused', async () => {
  await open(page)
  await connect(page, { mode: 'redirect' })
  await page.waitForURL('**/consent/*')
  const id = new URL(page.url()).pathname.split('/')[2]
  await context.addInitScript(() => { if (sessionStorage.hold) { sessionStorage.held = location.search; history.replaceState(null, '', location.pathname) } })
  await page.goto(app.url)
  await page.evaluate(() => { sessionStorage.hold = 'yes' })
  await page.goto(`${broker.url}/consent/${id}`)
  await approve(page)
  await page.waitForURL(app.url + '**')
  const held = await page.evaluate(() => { delete sessionStorage.hold; return sessionStorage.held })
  assert.match(held, /code=/)
  const back = app.url + held
  const forged = new URL(back)
  forged.searchParams.set('iss', 'https://evil.example.com')
  calls.length = 0
  await page.goto(forged.href)
  assert.notEqual(await page.evaluate(() => window.restored), 'session')
  assert.ok(!calls.includes('POST /oauth/token'), 'the code went nowhere')
})

test('a broker whose metadata leads to a script gets none to run in the page', async () => {
  await open(page)
  const evil = 'http://127.0.0.1:4999'
  await context.route(evil + '/**', r => r.fulfill({
    status: r.request().method() === 'POST' ? 201 : 200, contentType: 'application/json', headers: { 'access-control-allow-origin': '*' },
    body: JSON.stringify({ issuer: evil, authorization_endpoint: 'javascript:(window.opener??window).ran=1//', pushed_authorization_request_endpoint: evil + '/par',
      registration_endpoint: evil + '/register', token_endpoint: evil + '/token', client_id: 'app', request_uri: 'urn:x', expires_in: 60 }),
  }))
  for (const mode of ['popup', 'redirect']) {
    await connect(page, { broker: evil, mode })
    const end = await page.evaluate(() => Promise.race([window.answer, new Promise(done => setInterval(() => window.ran && done('a script ran'), 20))]))
    assert.equal(end, 'invalid_broker', mode)
  }
  await context.unroute(evil + '/**')
})

test('by popup: the page stays, the window closes itself', async () => {
  await open(page)
  const popup = await byPopup(approve)
  assert.equal(await page.evaluate(() => window.answer), 'session')
  await until('the window is closed', () => popup.isClosed())
  assert.equal(await chat(page), 'Good day.')
})

test('more: the grant stays the same, has more, and the app goes on', async () => {
  const before = await page.evaluate(() => window.session.standing())
  const opened = context.waitForEvent('page')
  await page.evaluate(() => { window.more = window.session.topUp({ provider: 'openai', maxBudgetCents: 90 }, { reason: 'It runs out.' }).then(() => 'more', e => e.code ?? String(e)) })
  const popup = await opened
  await popup.waitForURL('**/consent/*')
  assert.match(await popup.locator('main').innerText(), /It runs out\./, 'the reason is shown')
  await popup.getByRole('button', { name: /^Add more\s*as chosen/ }).click() // and not the button beside the sum
  assert.equal(await page.evaluate(() => window.more), 'more')
  const after = await page.evaluate(() => window.session.standing())
  assert.deepEqual([after.grantId, after.capMicroUsd], [before.grantId, before.capMicroUsd + 400_000])
  assert.equal(await chat(page), 'Good day.')
})

test('denied', async () => {
  await byPopup(async popup => {
    await popup.waitForURL('**/consent/*')
    await popup.getByRole('button', { name: /^Deny\b.*give nothing/s }).click()
  })
  assert.equal(await page.evaluate(() => window.answer), 'denied')
})

test('a window that is closed: the signal ends the waiting, and the button starts anew', async () => {
  const popup = await byPopup(p => p.waitForURL('**/consent/*'))
  await popup.close()
  await page.evaluate(() => window.stop())
  assert.equal(await page.evaluate(() => window.answer), 'cancelled')

  await page.evaluate(() => window.session.revoke())
  await page.evaluate(() => {
    window.heard = []
    return window.client.button(document.getElementById('b'), { ...window.options, mode: 'popup' }, (s, err) => { window.session = s; window.heard.push(err?.code ?? (s ? 'session' : 'none')) })
  })
  const button = page.getByRole('button', { name: 'Connect with AIPassport' })
  const press = async () => {
    const opened = context.waitForEvent('page')
    await button.click()
    return opened
  }
  const first = await press()
  await first.waitForURL('**/consent/*')
  await first.close()
  await approve(await press())
  await page.getByRole('button', { name: 'Disconnect from AIPassport' }).waitFor()
  assert.deepEqual(await page.evaluate(() => window.heard), ['none', 'session'])
  assert.equal(await chat(page), 'Good day.')
})

test('given back: the grant is revoked, and nothing is kept', async () => {
  const id = await page.evaluate(() => window.session.grantId)
  await page.evaluate(() => { window.old = window.session })
  await page.getByRole('button', { name: 'Disconnect from AIPassport' }).click()
  await page.getByRole('button', { name: 'Connect with AIPassport' }).waitFor()
  assert.equal(await status(id), 'revoked')
  assert.equal(await page.evaluate(() => window.old.ended), true)
  assert.equal(await open(page), 'nothing')
})

test('revoked by the owner: the SDK gets a 401, the app an end', async () => {
  await byPopup(approve)
  assert.equal(await page.evaluate(() => window.answer), 'session')
  const id = await page.evaluate(() => { window.session.addEventListener('end', () => { window.over = true }); return window.session.grantId })
  await broker.owner('POST', `/grants/${id}/revoke`)
  assert.equal(await chat(page), 401)
  assert.equal(await page.evaluate(() => window.over), true)
  assert.equal(await open(page), 'nothing')
})

test('one registration served all of it; the build for pages without modules is whole', async () => {
  const clients = await page.evaluate(() => new Promise(done => {
    const r = indexedDB.open('aipassport')
    r.onsuccess = () => { r.result.transaction('client').objectStore('client').getAll().onsuccess = e => done(e.target.result) }
  }))
  assert.equal(clients.length, 1)
  await page.addScriptTag({ url: app.url + 'aipassport.global.js' })
  assert.deepEqual(await page.evaluate(() => Object.keys(window.AIPassport).sort()), ['ConnectError', 'Session', 'button', 'connect', 'restore'])
})

sdkTests(() => ({ app, broker, provider, context, typed: types }), approve)
