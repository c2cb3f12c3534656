// A broker with something on every page, and how each page is opened: what the accessibility test looks at and what the pictures of the
// documentation show. All there is was made by real requests, approvals and calls.
import { password, providerKey, until } from './harness.mjs'

const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' // RFC 7636, appendix B
const callback = 'https://notes.example.com/callback'

/** What a hostile app sends: a name with hidden and look-alike letters, a misleading address, a reason of 10,000 characters. */
export const hostile = {
  appName: 'Оpеn\u202EIA\u200B ✅ <script>alert(1)</script>',
  appUrl: 'https://login-account-verification.xn--penai-iye.com:8443/%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E',
  reason: 'URGENT: your account will be CLOSED. \u202Eevorppa kcilC\u202C within 2 minutes 🔥🔥🔥 https://openai.com@evil.example/ <b>now</b> '.repeat(90).slice(0, 9_800),
  scope: { provider: 'openai', models: ['gpt-4o', '<b>gpt\u202E</b>'], capabilities: ['chat', 'code', 'images', 'search'], maxBudgetCents: 50_000 },
}

/** Becomes the owner and leaves the page signed in. */
export async function setUp(broker, page) {
  await page.goto(broker.link)
  await page.getByLabel('Your name').fill('Ada')
  await page.getByLabel('Sign-in name or email').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Become the owner' }).click()
  await page.waitForURL(url => url.pathname !== '/setup' || !url.search)
}

export async function addKey(broker, page, provider, label) {
  await page.goto(broker.url + '/keys')
  await page.getByRole('combobox', { name: 'Provider' }).first().selectOption(provider)
  await page.getByRole('textbox', { name: 'Your name for it' }).first().fill(label)
  await page.getByLabel('Key', { exact: true }).first().fill(providerKey)
  await page.getByRole('button', { name: 'Test and keep' }).first().click()
  await page.getByRole('listitem').filter({ hasText: label }).waitFor()
}

/** An app that the owner approved as asked: its grant, and calls of it. */
async function app(broker, more) {
  const asked = await broker.ask(more)
  await broker.owner('POST', `/grants/${asked.id}/approve`, { expiresInSeconds: 30 * 86400 })
  const token = (await broker.call('POST', '/tokens', { grantId: asked.id, grantSecret: asked.secret })).body.token
  return { ...asked, token, call: caller(broker, token) }
}

/** An app whose address is checked asks by OAuth, and the person approves on the page. */
async function checkedApp(broker, page, client, details) {
  let code
  await page.route(callback + '**', route => {
    code = new URL(route.request().url()).searchParams.get('code')
    return route.fulfill({ contentType: 'text/html', body: 'the app goes on' })
  })
  await page.goto(authorizeURL(broker, client, details))
  await page.getByRole('button', { name: /^Approve/ }).click()
  await until('the app has its code', () => code)
  await page.unroute(callback + '**')
  const res = await fetch(broker.url + '/oauth/token', { method: 'POST', body: new URLSearchParams({ grant_type: 'authorization_code', code, code_verifier: verifier, client_id: client, redirect_uri: callback }) })
  const { access_token: token, grant_id: id } = await res.json()
  return { id, token, call: caller(broker, token) }
}

const authorizeURL = (broker, client, details) => broker.url + '/oauth/authorize?' + new URLSearchParams({
  response_type: 'code', client_id: client, redirect_uri: callback, state: 's', code_challenge: challenge, code_challenge_method: 'S256',
  authorization_details: JSON.stringify(details),
})

/** Makes calls with a token: of a model, for so many tokens in and out. */
function caller(broker, token) {
  return async (model, input, output) => {
    const path = model.startsWith('claude') ? '/anthropic/v1/messages' : '/v1/chat/completions'
    const { status, body } = await broker.call('POST', path, { model, max_tokens: output, messages: [{ role: 'user', content: `spend ${input} ${output} ` + 'x'.repeat(input) }] }, token)
    if (status !== 200) throw new Error(`a call of ${model}: ${status} ${JSON.stringify(body)}`)
  }
}

const chat = (maxBudgetCents, models = ['gpt-4o-mini', 'gpt-4o'], provider = 'openai') =>
  ({ provider, models, capabilities: ['chat'], maxBudgetCents, maxRequests: 500, rateLimit: 60 })

/** Fills the broker. `page` is signed in as the owner. Returns what the scenes are about. */
export async function furnish(broker, page) {
  await addKey(broker, page, 'openai', 'personal')
  await addKey(broker, page, 'anthropic', 'team')
  const client = (await broker.owner('POST', '/clients', { name: 'Field Notes', redirectUris: [callback], auth: 'none' })).body.clientId
  const tool = (await broker.call('POST', '/oauth/register', { redirect_uris: ['http://127.0.0.1/cb'], token_endpoint_auth_method: 'none', client_name: 'Radio' })).body.client_id

  const notes = await checkedApp(broker, page, client, [{ type: 'ai_access', ...chat(500) }])
  for (let i = 0; i < 6; i++) await notes.call('gpt-4o', 1500 + 100 * i, 900)
  for (let i = 0; i < 9; i++) await notes.call('gpt-4o-mini', 2000 + 300 * i, 700)
  const review = await app(broker, { appName: 'Patchwork, code review', appUrl: 'https://review.example.org', reason: 'To read the changes that you choose.', scope: chat(40, ['claude-sonnet-4-5'], 'anthropic') })
  for (let i = 0; i < 8; i++) await review.call('claude-sonnet-4-5', 2000, 2300)
  const menus = await app(broker, { appName: 'Menu translator', appUrl: 'https://menus.example.net', reason: 'To translate menus.', scope: chat(200) })
  await menus.call('gpt-4o', 900, 200)
  await broker.owner('POST', `/grants/${menus.id}/pause`, {})
  const old = await app(broker, { appName: 'Crossword helper', appUrl: 'https://puzzles.example.com', reason: 'To give hints.', scope: chat(100) })
  await broker.owner('POST', `/grants/${old.id}/revoke`, {})
  const denied = await broker.ask({ appName: 'Coupon finder', appUrl: 'https://coupons.example.com', reason: 'To find coupons.', scope: chat(900) })
  await broker.owner('POST', `/grants/${denied.id}/deny`, {})
  await broker.ask({ appName: 'Recipe box', appUrl: 'https://recipes.example.com', reason: 'To plan meals for the week.', scope: chat(300) })

  const stream = await fetch(broker.url + '/v1/chat/completions', {
    method: 'POST', headers: { authorization: `Bearer ${notes.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-4o-mini', stream: true, max_tokens: 50, messages: [{ role: 'user', content: 'hello' }] }),
  })
  const reader = stream.body.getReader()
  await reader.read()
  return { client, tool, notes, review, menus, old, denied, stop: () => reader.cancel() }
}

/** The pages of a furnished broker that no link leads to, or that need something of their own, by name: each leaves `page` on it. */
export function scenes(broker, page, it) {
  const ask = async more => page.goto((await broker.ask(more)).consent)
  const authorize = details => page.goto(authorizeURL(broker, it.client, details))
  return {
    consent: () => authorize([{ type: 'ai_access', provider: 'openai', models: ['gpt-4o-mini', 'gpt-4o'], capabilities: ['chat', 'embeddings', 'code', 'images'], maxBudgetCents: 2000, maxRequests: 2000, rateLimit: 30 }]),
    'consent-unchecked': () => ask({}),
    'consent-hostile': () => ask(hostile),
    'consent-several': () => authorize([
      { type: 'ai_access', provider: 'openai', models: ['gpt-4o-mini'], capabilities: ['chat'], maxBudgetCents: 500, maxDelegationDepth: 2 },
      { type: 'ai_access', provider: 'anthropic', capabilities: ['chat'], maxBudgetCents: 500 },
      { type: 'ai_access', provider: 'google', models: ['gemini-2.5-flash'], capabilities: ['chat'] }]),
    'consent-error': async () => {
      await ask({})
      await page.getByRole('spinbutton', { name: 'Money', exact: true }).fill('99')
      await page.locator('main form').evaluate(f => { f.noValidate = true })
      await page.getByLabel(/^gpt-4o\b(?!-)/).uncheck()
      await page.getByRole('button', { name: /^Approve/ }).click()
      await page.getByRole('alert').waitFor()
      page.complaints.length = 0 // the status of the refusal is shown in the console
    },
    'consent-more': async () => {
      const { body } = await broker.call('POST', '/grant-requests', { grantId: it.review.id, grantSecret: it.review.secret, reason: 'There are 14 changes left to read.', scope: { provider: 'anthropic', models: ['claude-sonnet-4-5', 'claude-opus-4-1'], maxBudgetCents: 500 } })
      await page.goto(body.consentUrl)
    },
    'consent-device': async () => {
      const res = await page.request.post(broker.url + '/oauth/device_authorization', { form: { client_id: it.tool, authorization_details: JSON.stringify([{ type: 'ai_access', provider: 'openai', models: ['gpt-4o-mini'], capabilities: ['chat'] }]) } })
      await page.goto((await res.json()).verification_uri_complete)
      const go = page.getByRole('button', { name: 'Look it up' })
      if (await go.count()) await go.click()
      await page.waitForURL('**/consent/*')
    },
    done: async () => {
      await ask({ appName: 'Recipe box', appUrl: 'https://recipes.example.com' })
      await page.getByLabel(/I started this myself/).check()
      await page.getByRole('button', { name: /^Approve/ }).click()
      await page.getByText('You gave up to').waitFor()
    },
    denied: () => page.goto(broker.url + '/consent/' + it.denied.id),
    device: () => page.goto(broker.url + '/device'),
    'command-line': () => page.goto(broker.url + '/login/cli?' + new URLSearchParams({ challenge, name: 'ada-laptop', port: '0', state: 'cGFnZXMtb2YtYS1icm93c2Vy' })),
    error: async () => { await page.goto(broker.url + '/no-such-page'); page.complaints.length = 0 },
    grant: () => page.goto(broker.url + '/grants/' + it.notes.id),
    'grant-revoked': () => page.goto(broker.url + '/grants/' + it.old.id),
    revoke: () => page.goto(broker.url + `/grants/${it.notes.id}/revoke`),
    resume: () => page.goto(broker.url + `/grants/${it.menus.id}/resume`),
    limits: async () => {
      await page.goto(broker.url + '/limits')
      await page.getByLabel('Dollars a month, All apps together').fill('20')
      await page.getByRole('button', { name: 'Set the limit, All apps together' }).click()
      await page.getByText('The limit holds from now on.').waitFor()
    },
    apps: () => page.goto(broker.url + '/'),
    usage: () => page.goto(broker.url + '/usage'),
    keys: async () => {
      const { body } = await broker.owner('GET', '/keys')
      for (const [label, monthlyLimitCents] of [['personal', 10_000], ['team', 35]]) await broker.owner('POST', `/keys/${body.find(k => k.label === label).id}/limit`, { monthlyLimitCents })
      await page.goto(broker.url + '/keys')
    },
    key: async () => {
      await page.goto(broker.url + '/keys')
      await page.getByRole('link', { name: 'Change OpenAI, personal' }).click()
      await page.getByText('Show them').click()
    },
    settings: () => page.goto(broker.url + '/settings'),
  }
}

/** A broker on which Ada is the owner, Bo joins by a password and Bea at the OpenID provider `host`. `open` opens another browser's page; `see` is
 * told each page that belongs to it, by name, once it is open. */
export async function company(broker, open, host, see) {
  const owner = await open(), bo = await open(), bea = await open()
  await setUp(broker, owner)
  const invite = async whom => {
    await owner.goto(broker.url + '/people')
    await owner.getByLabel('Whom is it for?').fill(whom)
    await owner.getByRole('button', { name: 'Make a link' }).click()
    return owner.getByRole('textbox', { name: 'Invitation' }).inputValue()
  }

  await bo.goto(await invite('Bo from the office'))
  await see(owner, 'people-invited')
  await see(bo, 'join')
  await bo.getByLabel('Your name').fill('Bo')
  await bo.getByLabel('Sign-in name or email').fill('bo')
  await bo.getByLabel('Password').fill(password)
  await bo.getByRole('button', { name: 'Join', exact: true }).click()
  await bo.waitForURL(url => url.pathname !== '/join')
  await addKey(broker, bo, 'openai', 'of Bo')
  for (const [appName, host, n] of [['Recipe box', 'recipes.example.com', 5], ['Menu translator', 'menus.example.net', 3]]) {
    const asked = await broker.ask({ appName, appUrl: `https://${host}`, reason: 'To plan meals for the week.', scope: chat(200) })
    await bo.goto(asked.consent)
    await bo.getByRole('spinbutton', { name: 'Money', exact: true }).fill('2')
    await bo.getByLabel(/I started this myself/).check()
    await bo.getByRole('button', { name: /^Approve/ }).click()
    await bo.getByText('You gave up to').waitFor()
    const { token } = (await broker.call('POST', '/tokens', { grantId: asked.id, grantSecret: asked.secret })).body
    for (let i = 0; i < n; i++) await caller(broker, token)('gpt-4o', 9000, 8000 + 500 * i)
  }

  await bea.goto(await invite('Bea'))
  await bea.getByRole('button', { name: `Join with ${host}` }).click()
  await bea.waitForURL('**/join/as')
  await bea.getByLabel('Your name').fill('Bea')
  await see(bea, 'join-as')
  await bea.getByRole('button', { name: 'Join', exact: true }).click()
  await bea.waitForURL('**/keys')
  await bea.getByRole('button', { name: 'Sign out' }).click()
  await see(bea, 'sign-in-openid')

  await invite('Whoever does the accounts')
  await owner.goto(broker.url + '/people')
  await owner.getByRole('link', { name: 'Limit what Bo may spend a month' }).click()
  await owner.getByLabel('Dollars a month').fill('5')
  await owner.getByRole('button', { name: 'Set the limit' }).click()
  await owner.getByText('of $5.00 a month').waitFor()
  await owner.goto(broker.url + '/people')
  await see(owner, 'people')
  await owner.getByRole('link', { name: 'Limit what Bo may spend a month' }).click()
  await see(owner, 'member-limit')
  await bo.goto(broker.url + '/limits')
  await see(bo, 'limits-of-a-member')
  await bo.goto(broker.url + '/')
  await bo.getByRole('button', { name: 'Stop all my apps' }).click()
  await bo.getByText('All your apps are stopped since').waitFor()
  await see(bo, 'own-stopped')

  await owner.goto(broker.url + '/people')
  await owner.getByRole('button', { name: 'New password for Bo' }).click()
  const link = await owner.getByRole('textbox', { name: 'Link for another password' }).inputValue()
  await see(owner, 'people-reset')
  await bo.goto(link)
  await see(bo, 'new-password')
}

/** Every path of ours that the open page links to, downloads apart. */
export const links = page => page.$$eval('a[href^="/"]', all => all.filter(a => !a.hasAttribute('download')).map(a => new URL(a.href).pathname))
