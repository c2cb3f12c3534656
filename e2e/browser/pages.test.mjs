// The person's pages in a real browser: setup, sign-in, consent, apps, keys. They run in this order on one broker.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { launch, openPage, password, providerKey, startBroker, startProvider, until } from './harness.mjs'

const shots = new URL('./shots/', import.meta.url).pathname
let provider, broker, browser, page

before(async () => {
  mkdirSync(shots, { recursive: true })
  provider = await startProvider()
  broker = await startBroker(provider)
  browser = await launch()
  page = await openPage(browser)
})

after(async () => {
  await browser?.close()
  await broker?.stop()
  provider?.stop()
})

/** The open page fits at two widths; pictures of it, light and dark, where someone looks at them. */
async function picture(name) {
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 900 })
    const wide = await page.evaluate(async () => { // once scripts have drawn it anew: at most 30 frames later
      const by = () => document.documentElement.scrollWidth - document.documentElement.clientWidth
      for (let n = 0; n < 30 && by() > 0; n++) await new Promise(next => requestAnimationFrame(next))
      return by()
    })
    assert.ok(wide <= 0, `${name} at ${width} scrolls sideways by ${wide} px`)
    for (const colorScheme of process.env.CI ? [] : ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: `${shots}${name}-${width}-${colorScheme}.png`, fullPage: true })
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 })
  await page.emulateMedia({ colorScheme: 'light' })
}

const quiet = () => assert.deepEqual(page.complaints.splice(0), [], 'the console is quiet')
const status = async id => (await broker.owner('GET', `/grants/${id}`)).body.status

async function signIn() {
  await page.getByLabel('Sign-in name or email').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

test('the setup link makes the owner, once', async () => {
  await page.goto(broker.link)
  await picture('setup')
  await page.getByLabel('Your name').fill('Ada')
  await page.getByLabel('Sign-in name or email').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Become the owner' }).click()
  await picture('setup-passkey')
  await page.getByRole('link', { name: 'Not now' }).click()
  await page.waitForURL('**/keys')
  quiet()
  const again = await page.request.get(broker.link)
  assert.equal(again.status(), 404)
})

test('a key is tested, kept and never shown', async () => {
  const add = async key => {
    await page.getByLabel('Provider').selectOption('openai')
    await page.getByLabel('Your name for it').fill('for apps')
    await page.getByLabel('Key', { exact: true }).fill(key)
    await page.getByRole('button', { name: 'Test and keep' }).click()
    await page.waitForLoadState()
  }
  await page.goto(broker.url + '/keys')
  await add('sk-refused-by-the-provider-000000')
  await page.getByRole('alert').waitFor()
  assert.equal(await page.getByRole('listitem').filter({ hasText: 'for apps' }).count(), 0, 'a refused key is not kept')
  page.complaints.length = 0 // the status of the refusal is shown in the console
  await add(providerKey)
  await page.getByRole('listitem').filter({ hasText: 'for apps' }).waitFor()
  assert.ok(!(await page.content()).includes(providerKey), 'the key is not on the page')
  await picture('keys')
  await page.getByRole('link', { name: 'Change OpenAI, for apps' }).click()
  await page.getByText('Works, tested just now').waitFor()
  await page.getByText('Show them').click()
  await page.getByRole('row', { name: 'gpt-4o-mini Known' }).waitFor()
  await picture('key')
  const replace = async secret => {
    await page.getByLabel('New secret').fill(secret)
    await page.getByRole('button', { name: 'Test and replace' }).click()
  }
  await replace('sk-refused-by-the-provider-000000')
  await page.getByRole('alert').getByText('the old secret is still in use').waitFor()
  page.complaints.length = 0
  await replace(providerKey)
  await page.getByText('The new secret works and is in use.').waitFor()
  await page.getByLabel('Dollars a month').fill('50')
  await page.getByRole('button', { name: 'Set the limit' }).click()
  await page.getByRole('img', { name: '$0.00 of $50.00 spent, $0.00 held' }).waitFor()
  await provider.away(async () => {
    await page.getByRole('button', { name: 'Test it now' }).click()
    await page.getByText('Not reached, tested just now').waitFor()
    await replace('sk-another-key-of-the-provider-0000')
    await page.getByRole('alert').getByText('could not be asked, so nothing was changed').waitFor()
    page.complaints.length = 0
  })
  await page.getByRole('button', { name: 'Test it now' }).click()
  await page.getByText('Works, tested just now').waitFor()
  assert.ok(!(await page.content()).includes(providerKey), 'nor on its own page')
  quiet()
})

test('a signed-out person signs in first and comes back to the request', async () => {
  const asked = await broker.ask()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL('**/login*')
  await page.goto(asked.consent)
  await page.waitForURL('**/login*')
  await picture('login')
  await signIn()
  await page.waitForURL(`**/consent/${asked.id}`)
  quiet()
})

test('consent shows the facts, narrows, and needs its statement', async () => {
  const asked = await broker.ask()
  await page.goto(asked.consent)
  for (const fact of ['notes.example.com', 'Not checked', 'Notes', 'To summarise what you write down', 'gpt-4o-mini', '$0.80']) {
    assert.ok((await page.locator('main').innerText()).includes(fact), `${fact} is shown`)
  }
  assert.equal(await page.getByLabel(/I started this myself/).isChecked(), false, 'the statement is not ticked')
  assert.equal(await page.getByLabel(/Make pictures/).isChecked(), false, 'nothing risky is ticked')
  await picture('consent')

  await page.getByRole('spinbutton', { name: 'Money', exact: true }).fill('0.25')
  await page.getByLabel(/^gpt-4o\b(?!-)/).uncheck()
  await page.getByRole('spinbutton', { name: 'Money', exact: true }).blur()
  await until('the summary follows', async () => (await page.locator('aside').innerText()).includes('$0.25'))
  await page.getByRole('spinbutton', { name: 'Money', exact: true }).press('Enter')
  await page.waitForLoadState()
  assert.equal(await status(asked.id), 'pending', 'Enter in a field does not approve')

  const approve = page.getByRole('button', { name: /^Approve/ })
  await approve.click()
  assert.equal(await status(asked.id), 'pending', 'not without the statement')
  await page.getByLabel(/I started this myself/).check()
  await approve.click()
  await until('it is approved', async () => (await status(asked.id)) === 'approved')
  const { body } = await broker.owner('GET', `/grants/${asked.id}`)
  assert.deepEqual({ models: body.scope.models, capabilities: body.scope.capabilities, cents: body.scope.maxBudgetCents }, { models: ['gpt-4o-mini'], capabilities: ['chat'], cents: 25 })
  await page.getByText('Approved').first().waitFor()
  quiet()
})

test('a monthly limit is set, shown and removed', async () => {
  await page.goto(broker.url + '/limits')
  await picture('limits-none')
  const money = page.getByLabel('Dollars a month, All apps together')
  await money.fill('nonsense')
  await page.getByRole('button', { name: 'Set the limit, All apps together' }).click()
  await page.getByRole('alert').waitFor()
  assert.equal(await money.inputValue(), 'nonsense', 'what was typed stays')
  await picture('limits-wrong')
  page.complaints.length = 0 // the status of the refusal is shown in the console
  await money.fill('20.50')
  await money.press('Enter')
  await page.getByText('The limit holds from now on.').waitFor()
  await page.getByLabel('Dollars a month, OpenAI').fill('0')
  await page.getByRole('button', { name: 'Set the limit, OpenAI' }).click()
  await page.getByText('spent of $0.00').waitFor()
  await picture('limits')
  await page.goto(broker.url + '/')
  await page.getByText('is used up').waitFor()
  await picture('apps-limit')
  await page.getByRole('link', { name: 'Look at limits' }).click()
  await page.getByRole('button', { name: 'Remove the limit, OpenAI' }).click()
  await page.getByText('The limit is removed.').waitFor()
  assert.equal(await page.getByRole('button', { name: /^Remove/ }).count(), 1, 'the other limit stays')
  quiet()
})

test('deny is one press', async () => {
  const asked = await broker.ask()
  await page.goto(asked.consent)
  await page.getByRole('button', { name: /^Deny\b.*give nothing/s }).click()
  await until('it is denied', async () => (await status(asked.id)) === 'denied')
  await page.getByText('Denied').first().waitFor()
  quiet()
})

test('revoke ends a running stream', async () => {
  const asked = await broker.ask()
  await broker.owner('POST', `/grants/${asked.id}/approve`, {})
  const { body } = await broker.call('POST', '/tokens', { grantId: asked.id, grantSecret: asked.secret })
  const res = await fetch(broker.url + '/v1/chat/completions', {
    method: 'POST', headers: { authorization: `Bearer ${body.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-4o-mini', stream: true, max_tokens: 50, messages: [{ role: 'user', content: 'hello' }] }),
  })
  assert.equal(res.status, 200)
  const reader = res.body.getReader()
  await reader.read()
  await page.goto(broker.url + '/grants')
  await page.getByText('1 running call').first().waitFor()
  await picture('grants')
  await page.goto(broker.url + `/grants/${asked.id}`)
  await picture('grant')
  await page.getByRole('link', { name: 'Revoke' }).click()
  const question = page.getByRole('button', { name: /^Revoke now/ })
  await question.waitFor()
  await picture('revoke')
  await question.click()
  const pressed = Date.now()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    text += new TextDecoder().decode(value)
  }
  await until('the upstream call ends', () => provider.live === 0)
  assert.ok(Date.now() - pressed < 2000, `it took ${Date.now() - pressed} ms`)
  assert.ok(!text.includes('[DONE]'), 'a cut stream does not look whole')
  assert.equal(await status(asked.id), 'revoked')
  await page.getByText(/Revoked/).first().waitFor()
  quiet()
})

test('pages move with what happens: a stream, pause, the switch that stops all, revoke', async () => {
  const asked = await broker.ask()
  await broker.owner('POST', `/grants/${asked.id}/approve`, {})
  const { body } = await broker.call('POST', '/tokens', { grantId: asked.id, grantSecret: asked.secret })
  /** Begins a stream; what it returns reads it to its end, which must not look whole. */
  const stream = async () => {
    const res = await fetch(broker.url + '/v1/chat/completions', {
      method: 'POST', headers: { authorization: `Bearer ${body.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o-mini', stream: true, max_tokens: 50, messages: [{ role: 'user', content: 'hello' }] }),
    })
    assert.equal(res.status, 200)
    return async () => {
      assert.ok(!(await res.text()).includes('[DONE]'), 'a cut stream does not look whole')
      await until('the upstream call ends', () => provider.live === 0)
    }
  }
  const other = await page.context().newPage() // the app's own page, which nobody touches
  await other.goto(broker.url + `/grants/${asked.id}`)
  await other.evaluate(() => { window.same = true })
  await page.goto(broker.url + '/')
  await page.evaluate(() => { window.same = true })
  const row = page.locator(`#g-${asked.id}`)
  const running = p => p.getByText('1 running call').waitFor()
  const shown = (p, name) => p.getByRole('button', { name, exact: false }).waitFor()

  let cut = await stream()
  await running(row)
  await running(other)
  await until('the sum above the list follows', async () => (await page.locator('.stats').innerText()).includes('from 1 of these apps'))
  await page.setViewportSize({ width: 360, height: 900 })
  assert.deepEqual(await page.$$eval('.stats dd>span', all => all.map(e => {
    const was = e.textContent
    e.textContent = '< $0.0001'
    const text = document.createRange()
    text.selectNodeContents(e)
    const box = e.closest('.stats>div').getBoundingClientRect(), got = [text.getClientRects().length, text.getBoundingClientRect().right < box.right]
    e.textContent = was
    return got
  })), Array(4).fill([1, true]), 'an amount is on one line, and whole')
  await page.setViewportSize({ width: 1280, height: 900 })
  assert.ok(/\$0\.\d+ is held/.test(await other.locator('main').innerText()), 'what is held is told')
  await broker.owner('POST', `/grants/${asked.id}/pause`)
  await row.getByText('Paused').waitFor()
  await row.getByRole('link', { name: 'Resume' }).waitFor()
  await other.getByRole('link', { name: 'Resume' }).waitFor()
  assert.equal(await row.getByRole('button', { name: 'Pause' }).count(), 0, 'what is paused cannot be paused')
  await cut()
  await until('it runs no more', async () => !(await row.innerText()).includes('running call'))
  assert.ok(await page.evaluate(() => window.same), 'all that without loading the page again')
  await broker.owner('POST', `/grants/${asked.id}/resume`)
  await shown(row, 'Pause')

  cut = await stream()
  await running(row)
  await page.getByRole('button', { name: 'Stop all apps' }).click()
  await page.getByText('All apps stopped: 1 running call ended.').waitFor()
  await cut()
  for (const p of [page, other]) await p.getByText('All apps are stopped').first().waitFor()
  await picture('stopped')
  await page.getByRole('link', { name: 'Let apps run again' }).click()
  await page.getByRole('button', { name: 'Run again' }).click()
  await page.getByText('Apps run again, each with the limits it had.').waitFor()
  await until('the other page lets them run too', async () => !(await other.locator('main').innerText()).includes('All apps are stopped'))

  cut = await stream()
  await running(other)
  await row.getByRole('link', { name: 'Revoke' }).click()
  await page.getByRole('button', { name: /^Revoke now/ }).click()
  await page.getByText('Revoked: 1 running call ended.').waitFor()
  await cut()
  await other.locator('.stamp').filter({ hasText: 'Revoked' }).waitFor()
  assert.equal(await other.getByRole('link', { name: 'Revoke' }).count(), 0, 'what is revoked cannot be revoked')
  await until('no call runs on the other page', async () => !(await other.locator('main').innerText()).includes('running call '))
  assert.ok(await other.evaluate(() => window.same), 'the other page was never loaded again')
  await other.close()
  await page.goto(broker.url + '/activity')
  for (const what of ['Revoked', 'All apps stopped', 'Apps run again', 'Resumed']) await page.getByRole('row', { name: what }).first().waitFor()
  assert.ok((await page.getByRole('row', { name: 'All apps stopped' }).innerText()).includes('Ada'), 'who did it is told')
  await picture('activity')
  quiet()
})

test('an app that asks by OAuth, a device and registered apps have pages that fit, and keys alone deny', async () => {
  const redirect = 'https://notes.example.com/callback'
  const fits = async name => {
    await page.setViewportSize({ width: 360, height: 900 })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.ok(wide <= 0, `${name} at 360 scrolls sideways by ${wide} px`)
    await page.setViewportSize({ width: 1280, height: 900 })
    quiet()
  }
  await page.goto(broker.url + '/device')
  await page.getByRole('heading', { name: 'Connect a device' }).waitFor()
  await fits('device')
  await page.goto(broker.url + '/clients')
  await page.getByLabel('Your name for it').fill('Home notes')
  await page.getByLabel('Where it sends you back').fill(redirect)
  await page.getByRole('button', { name: 'Register the app' }).click()
  const row = page.getByRole('listitem').filter({ hasText: 'Home notes' })
  await row.waitFor()
  await fits('clients')
  const id = /app_[\w-]+/.exec(await row.innerText())[0]
  await page.goto(broker.url + '/oauth/authorize?' + new URLSearchParams({
    response_type: 'code', client_id: id, redirect_uri: redirect, state: 's',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256', // RFC 7636, appendix B
    authorization_details: JSON.stringify([{ type: 'ai_access', provider: 'openai', models: ['gpt-4o-mini'], capabilities: ['chat'], maxBudgetCents: 50, maxRequests: 5, rateLimit: 5, maxDelegationDepth: 1 }]),
  }))
  await page.getByText('Address checked').waitFor()
  assert.equal(await page.locator('.hold').count(), 0, 'nothing lies over Approve where no wait is needed')
  await fits('consent')
  const asked = page.url().split('/').pop()
  await page.route('**/oauth/return/*', r => r.fulfill({ contentType: 'text/html', body: 'on the way to the app' }))
  const deny = page.getByRole('button', { name: /^Deny\b.*give nothing/s })
  let presses = 0
  while (!(await deny.evaluate(b => b === document.activeElement))) {
    assert.ok(++presses <= 25, 'Deny is reached by Tab')
    await page.keyboard.press('Tab')
  }
  await page.keyboard.press('Enter')
  await page.waitForURL('**/oauth/return/*')
  assert.equal(await status(asked), 'denied')
  quiet()
})

test('without scripts everything still works', async () => {
  const asked = await broker.ask()
  const state = await page.context().storageState()
  const plain = await openPage(browser, { javaScriptEnabled: false, storageState: state })
  await plain.goto(asked.consent)
  const shown = Date.now()
  await plain.getByLabel(/I started this myself/).check()
  await plain.waitForTimeout(Math.max(0, 3100 - (Date.now() - shown))) // nobody reads faster, and the page says so
  await plain.getByRole('button', { name: /^Approve/ }).click()
  await until('it is approved', async () => (await status(asked.id)) === 'approved')
  await plain.goto(broker.url + `/grants/${asked.id}/revoke`)
  await plain.getByRole('button', { name: /^Revoke now/ }).click()
  await until('it is revoked', async () => (await status(asked.id)) === 'revoked')
  assert.deepEqual(plain.complaints, [])
  await plain.context().close()
})

test('the consent page cannot be framed', async () => {
  const asked = await broker.ask()
  const evil = await openPage(browser)
  await evil.route('https://evil.example/', r => r.fulfill({ contentType: 'text/html', body: `<iframe src="${asked.consent}"></iframe>` }))
  await evil.goto('https://evil.example/')
  await until('the frame is refused', async () => evil.complaints.some(c => /frame|ERR_BLOCKED|denied/i.test(c)))
  assert.equal(await evil.frames().at(-1).getByRole('button', { name: /^Approve/ }).count(), 0)
  await evil.context().close()
})

test('the log holds no key', () => assert.ok(!broker.log().includes(providerKey)))
