// Passkeys with Chromium's virtual authenticator (CDP, WebAuthn domain).
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { launch, openPage, password, startBroker, startProvider } from './harness.mjs'

const shots = new URL('./shots/', import.meta.url).pathname
let provider, broker, browser, page, cdp, authenticatorId

before(async () => {
  mkdirSync(shots, { recursive: true })
  provider = await startProvider()
  broker = await startBroker(provider)
  browser = await launch()
  page = await openPage(browser)
  cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const made = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  })
  authenticatorId = made.authenticatorId
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

test('a passkey is added, signs in, and is removed', async () => {
  await page.goto(broker.link)
  await page.getByLabel('Your name').fill('Ada')
  await page.getByLabel('Sign-in name or email').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Become the owner' }).click()
  // The step of setup that may be left out.
  await page.getByLabel('What to call it').fill('laptop')
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await page.waitForURL('**/keys')
  await page.getByText('The passkey is added').waitFor()
  await page.goto(broker.url + '/settings')
  const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId })
  assert.equal(credentials.length, 1)
  assert.equal(credentials[0].isResidentCredential, true)
  await page.getByText('your only passkey').waitFor()
  await picture('passkeys')

  // Without a person's presence the field waits; the button signs in.
  await cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled: false })
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL('**/login')
  assert.equal(await page.getByLabel('Password').isVisible(), false)
  await picture('login-passkey')
  await cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled: true })
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
  await page.waitForURL(broker.url + '/')

  await page.goto(broker.url + '/settings')
  await page.getByRole('button', { name: 'Remove laptop' }).click()
  await page.getByText('The passkey is removed').waitFor()
  await page.getByText('There is none yet.').waitFor()
  assert.deepEqual(page.complaints.splice(0), [], 'the console is quiet')
})
