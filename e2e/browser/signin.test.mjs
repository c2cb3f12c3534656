// Sessions, and the fresh sign-in that much money takes, in a real browser.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { launch, openPage, password, startBroker, startProvider, until } from './harness.mjs'
import { setUp } from './scenes.mjs'

const shots = new URL('./shots/', import.meta.url).pathname
let provider, broker, browser, page

before(async () => {
  mkdirSync(shots, { recursive: true })
  provider = await startProvider()
  broker = await startBroker(provider)
  browser = await launch()
  page = await openPage(browser)
  await setUp(broker, page)
})

after(async () => {
  await browser?.close()
  await broker?.stop()
  provider?.stop()
})

async function picture(name) {
  for (const width of [1280, 360]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(wide <= 0, `${name} at ${width} scrolls sideways by ${wide} px`)
      await page.screenshot({ path: `${shots}${name}-${width}-${colorScheme}.png`, fullPage: true })
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 })
  await page.emulateMedia({ colorScheme: 'light' })
}

async function signIn(page) {
  await page.getByLabel('Sign-in name or email').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

// age makes all sign-ins an hour older, in the database of the broker that runs.
const age = () => execFileSync('sqlite3', [broker.database, 'PRAGMA busy_timeout=5000; UPDATE session SET created_at = created_at - 3600000000'])

test('another browser is listed, and ended from this one', async () => {
  const other = await openPage(browser, { userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1' })
  await other.goto(broker.url + '/login')
  await signIn(other)
  await other.waitForURL(broker.url + '/')
  await page.goto(broker.url + '/settings')
  await page.getByText('Safari on an iPhone', { exact: true }).waitFor()
  await page.getByText('This one').waitFor()
  await picture('settings')
  await page.getByRole('button', { name: /^End Safari on an iPhone/ }).click()
  await page.getByText('That browser is signed out.').waitFor()
  await other.goto(broker.url + '/keys')
  await other.waitForURL('**/login*')
  await other.context().close()
  assert.equal(await page.getByRole('button', { name: 'Sign out all others' }).count(), 0)
  assert.deepEqual(page.complaints.splice(0), [], 'the console is quiet')
})

test('much money takes a fresh sign-in, and what was chosen is still there', async () => {
  const asked = await broker.ask({ scope: { provider: 'openai', models: ['gpt-4o-mini', 'gpt-4o'], capabilities: ['chat', 'images'], maxBudgetCents: 5000, maxRequests: 200, rateLimit: 60 } })
  const beforehand = 'Above $20.00 in all, approving asks you to sign in once more first.'
  const status = async () => (await broker.owner('GET', `/grants/${asked.id}`)).body.status
  age()
  await page.goto(asked.consent)
  await page.getByText(beforehand).waitFor()
  await page.getByRole('spinbutton', { name: 'Money', exact: true }).fill('25.50')
  await page.getByLabel(/^gpt-4o\b(?!-)/).uncheck()
  await page.getByLabel(/I started this myself/).check()
  await page.getByRole('button', { name: /^Approve/ }).click()
  await page.waitForURL('**/login*')
  await page.getByText('Show once more that it is you').waitFor()
  assert.equal(await status(), 'pending', 'an old session gives nothing above the amount')
  await picture('login-again')
  await signIn(page)
  await page.waitForURL(`**/consent/${asked.id}`)
  await page.getByText('What you chose before stands here').waitFor()
  assert.equal(await page.getByText(beforehand).count(), 0, 'a sign-in is announced that is not asked for')
  assert.equal(await page.getByRole('spinbutton', { name: 'Money', exact: true }).inputValue(), '25.50')
  assert.equal(await page.getByLabel(/^gpt-4o\b(?!-)/).isChecked(), false)
  assert.equal(await status(), 'pending', 'coming back gives nothing')
  await picture('consent-again')
  await page.getByRole('button', { name: /^Approve/ }).click()
  await until('it is approved', async () => (await status()) === 'approved')
  const { body } = await broker.owner('GET', `/grants/${asked.id}`)
  assert.deepEqual({ models: body.scope.models, cents: body.scope.maxBudgetCents }, { models: ['gpt-4o-mini'], cents: 2550 })

  await page.goto(broker.url + '/settings/password')
  await picture('password')
  await page.getByRole('link', { name: 'Keep it as it is' }).click()
  await page.waitForURL('**/settings')
  assert.deepEqual(page.complaints.splice(0), [], 'the console is quiet')
})
