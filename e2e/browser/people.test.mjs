// Two people on one broker: an invitation, joining by it, pages of one's own, and what the owner sees and may do.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdirSync } from 'node:fs'
import { launch, openPage, password, startBroker, startOpenID, startProvider } from './harness.mjs'
import { addKey, setUp } from './scenes.mjs'

const shots = new URL('./shots/', import.meta.url).pathname
let provider, accounts, broker, browser, owner, member

before(async () => {
  mkdirSync(shots, { recursive: true })
  provider = await startProvider()
  accounts = await startOpenID({ sub: 'bea', email: 'bea@example.com' })
  broker = await startBroker(provider, accounts.env)
  browser = await launch()
  owner = await openPage(browser)
  member = await openPage(browser)
  await setUp(broker, owner)
})

after(async () => {
  await browser?.close()
  await broker?.stop()
  provider?.stop()
  accounts?.stop()
})

async function picture(page, name) {
  for (const width of [1280, 360]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(wide <= 0, `${name} at ${width} scrolls sideways by ${wide} px`)
      if (!process.env.CI) await page.screenshot({ path: `${shots}${name}-${width}-${colorScheme}.png`, fullPage: true })
    }
  }
}

test('a member joins by a link that works once, and has pages of their own', async () => {
  await owner.goto(broker.url + '/people')
  await owner.getByLabel('Whom is it for?').fill('Bo from the office')
  await owner.getByRole('button', { name: 'Make a link' }).click()
  const link = await owner.getByRole('textbox', { name: 'Invitation' }).inputValue()
  await picture(owner, 'people-invited')

  await member.goto(link)
  await picture(member, 'join')
  await member.getByLabel('Your name').fill('Bo')
  await member.getByLabel('Sign-in name or email').fill('bo')
  await member.getByLabel('Password').fill(password)
  await member.getByRole('button', { name: 'Join', exact: true }).click()
  await member.waitForURL(url => url.pathname !== '/join')
  await addKey(broker, member, 'openai', 'of Bo')

  // Neither sees the other's key, and the member no page of the owner's.
  await owner.goto(broker.url + '/keys')
  assert.ok(!(await owner.locator('main').innerText()).includes('of Bo'), 'the owner sees a key of the member')
  assert.equal((await member.request.get(broker.url + '/people')).status(), 404)
  assert.equal(await member.getByRole('link', { name: 'People' }).count(), 0)
  await member.goto(broker.url + '/')
  await picture(member, 'apps-of-a-member')

  const late = await openPage(browser)
  await late.goto(link)
  assert.equal(await late.getByRole('button', { name: 'Join' }).count(), 0, 'the link works twice')
  await late.context().close()
})

test('the owner limits a member, who sees it and cannot lift it', async () => {
  await owner.goto(broker.url + '/people')
  await owner.getByRole('link', { name: 'Limit what Bo may spend a month' }).click()
  await owner.getByLabel('Dollars a month').fill('5')
  await owner.getByRole('button', { name: 'Set the limit' }).click()
  await owner.getByText('of $5.00 a month').waitFor()
  await picture(owner, 'people-limited')
  await owner.getByRole('link', { name: 'Limit what Bo may spend a month' }).click()
  await picture(owner, 'member-limit')
  await member.getByRole('link', { name: 'Limits' }).click()
  await member.getByText('lets you spend $5.00 a month at most').waitFor()
  await member.getByLabel('Dollars a month, All apps together').fill('9')
  await member.getByRole('button', { name: 'Set the limit, All apps together' }).click()
  await member.getByText('spent of $5.00').waitFor()
  await picture(member, 'limits-of-a-member')
})

test('a member stops all of their apps by one switch, and lets them run again', async () => {
  await member.goto(broker.url + '/')
  await member.getByRole('button', { name: 'Stop all my apps' }).click()
  await member.getByText('All your apps are stopped since').waitFor()
  await picture(member, 'own-stopped')
  await owner.goto(broker.url + '/')
  assert.equal(await owner.getByText('apps are stopped since').count(), 0, 'the owner\'s apps are stopped too')
  await member.getByRole('link', { name: 'Let my apps run again' }).click()
  await member.getByRole('button', { name: 'Run again' }).click()
  await member.getByText('Your apps run again').waitFor()
  assert.equal(await member.getByText('apps are stopped since').count(), 0)
})

test('the owner makes a link by which a member sets another password', async () => {
  await owner.goto(broker.url + '/people')
  await owner.getByRole('button', { name: 'New password for Bo' }).click()
  const link = await owner.getByRole('textbox', { name: 'Link for another password' }).inputValue()
  await picture(owner, 'people-reset')
  const fresh = await openPage(browser)
  await fresh.goto(link)
  await fresh.getByLabel('New password').fill(password)
  await fresh.getByRole('button', { name: 'Set the password' }).click()
  await fresh.waitForURL('**/settings')
  await fresh.goto(broker.url + '/activity')
  await fresh.getByText('the owner of this broker made it').waitFor()
  await fresh.context().close()
  await member.goto(broker.url + '/')
  assert.equal(new URL(member.url()).pathname, '/login')
  await member.getByLabel('Sign-in name or email').fill('bo')
  await member.getByLabel('Password').fill(password)
  await member.getByRole('button', { name: 'Sign in', exact: true }).click()
  await member.waitForURL(broker.url + '/')
})

test('the owner suspends a member, who is signed out at once, and lets them in again', async () => {
  await owner.goto(broker.url + '/people')
  await owner.getByRole('link', { name: 'Suspend Bo' }).click()
  await owner.locator('main form button').last().click()
  await owner.locator('.badge').getByText('Suspended', { exact: true }).waitFor()
  await picture(owner, 'people-suspended')
  await member.goto(broker.url + '/')
  assert.equal(new URL(member.url()).pathname, '/login')
  const signIn = async () => {
    await member.getByLabel('Sign-in name or email').fill('bo')
    const field = member.getByLabel('Password')
    if (!(await field.isVisible())) await member.locator('summary').first().click()
    await field.fill(password)
    await field.press('Enter')
  }
  await signIn()
  assert.equal(new URL(member.url()).pathname, '/login')
  await owner.getByRole('button', { name: 'Let in again' }).click()
  await owner.getByText('Member', { exact: true }).waitFor()
  await signIn()
  await member.waitForURL(url => url.pathname !== '/login')
})

test('a member joins as who they are at an OpenID provider, after a page that asks, and signs in there', async () => {
  await owner.goto(broker.url + '/people')
  await owner.getByLabel('Whom is it for?').fill('Bea')
  await owner.getByRole('button', { name: 'Make a link' }).click()
  const bea = await openPage(browser), host = new URL(accounts.origin).host
  await bea.goto(await owner.getByRole('textbox', { name: 'Invitation' }).inputValue())
  await bea.getByRole('button', { name: `Join with ${host}` }).click()
  await bea.waitForURL('**/join/as')
  await bea.getByText('bea@example.com').waitFor()
  assert.equal(await bea.getByLabel('Sign-in name or email').inputValue(), 'bea@example.com')
  await picture(bea, 'join-as')
  await bea.getByLabel('Your name').fill('Bea')
  await bea.getByRole('button', { name: 'Join', exact: true }).click()
  await bea.waitForURL('**/keys')
  await bea.getByRole('button', { name: 'Sign out' }).click()
  await bea.getByRole('button', { name: `Sign in at ${host}` }).click()
  await bea.waitForURL(broker.url + '/')
  assert.deepEqual(bea.complaints, [], 'the console is quiet')
  await bea.context().close()
})

test('nothing in the console', () => {
  const odd = [...owner.complaints, ...member.complaints].filter(c => !/status of 4\d\d/.test(c))
  assert.deepEqual(odd, [])
})
