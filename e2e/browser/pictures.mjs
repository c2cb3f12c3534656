// Pictures of the pages for the documentation, made anew from the built broker: `make pictures`. What they show was made by real requests,
// approvals and calls through a provider on loopback. Arguments: the folder, and names of scenes (default: all that are listed here).
import { mkdirSync, writeFileSync } from 'node:fs'
import { launch, openPage, startBroker, startOpenID, startProvider } from './harness.mjs'
import { small } from './png.mjs'
import { company, furnish, scenes, setUp } from './scenes.mjs'

const [dir, ...names] = process.argv.slice(2)
const most = { picture: 60_000, all: 2_000_000 } // bytes
const bound = 1300, bounds = { key: 1700 } // px of height: a page that is longer is cut there
const wanted = {
  setup: ['1280-light'], 'sign-in': ['1280-light', '1280-dark'], 'apps-empty': ['1280-light'],
  limits: ['1280-light'], apps: ['1280-light', '1280-dark', '360-light'], grant: ['1280-light', '1280-dark'], usage: ['1280-light', '1280-dark'],
  activity: ['1280-light', '1280-dark'], keys: ['1280-light', '1280-dark'], key: ['1280-light', '1280-dark'], settings: ['1280-light', '1280-dark'], revoke: ['1280-light'],
  consent: ['1280-light', '1280-dark', '360-light', '360-dark'], 'consent-unchecked': ['1280-light', '1280-dark'], 'consent-hostile': ['1280-light', '360-light'],
  'consent-device': ['1280-light', '1280-dark'], 'consent-more': ['1280-light', '1280-dark'], 'consent-error': ['1280-light'],
  done: ['1280-light', '1280-dark'], denied: ['1280-light'],
}
const several = { // of a broker with several people
  people: ['1280-light', '1280-dark', '360-light'], 'people-invited': ['1280-light', '1280-dark'], 'people-reset': ['1280-light', '1280-dark'],
  join: ['1280-light', '1280-dark', '360-light'], 'join-as': ['1280-light', '1280-dark', '360-light'], 'sign-in-openid': ['1280-light', '1280-dark'],
  'new-password': ['1280-light', '1280-dark'], 'member-limit': ['1280-light', '1280-dark'], 'limits-of-a-member': ['1280-light', '1280-dark'], 'own-stopped': ['1280-light', '1280-dark'],
}
const asked = all => !names.length || Object.keys(all).some(name => names.includes(name))

mkdirSync(dir, { recursive: true })
const provider = await startProvider(), browser = await launch()
let all = 0, wrong = 0

async function take(page, name) {
  if (names.length && !names.includes(name)) return
  for (const kind of wanted[name] ?? several[name] ?? []) {
    const [width, colorScheme] = kind.split('-')
    await page.setViewportSize({ width: +width, height: 900 })
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.evaluate(() => { document.getAnimations().forEach(a => a.finish()); document.activeElement?.blur(); scrollTo(0, 0) })
    const height = Math.min(bounds[name] ?? bound, await page.evaluate(() => document.documentElement.scrollHeight))
    const shot = await page.screenshot({ fullPage: true, clip: { x: 0, y: 0, width: +width, height } })
    const png = [64, 32, 16].reduce((png, colours) => (png?.length <= most.picture ? png : small(shot, colours)), null)
    writeFileSync(`${dir}/${name}-${kind}.png`, png)
    all += png.length
    if (png.length > most.picture) wrong++
    console.log(`${name}-${kind}.png: ${png.length} bytes${png.length > most.picture ? ', too many' : ''}`)
  }
  await page.setViewportSize({ width: 1280, height: 900 })
}

/** The pages of a broker with one person. */
async function ofOne() {
  const broker = await startBroker(provider, { AIPASSPORT_GRANT_REQUESTS_PER_MINUTE: '200' })
  try {
    const page = await openPage(browser)
    await page.goto(broker.link)
    await take(page, 'setup')
    await setUp(broker, page)
    await page.goto(broker.url + '/')
    await take(page, 'apps-empty')
    const it = await furnish(broker, page)
    const list = scenes(broker, page, it)
    await page.goto(broker.url + '/')
    for (const tab of await page.$$eval('nav a', all => all.map(a => ({ name: a.textContent.toLowerCase(), href: a.href })))) list[tab.name] ??= () => page.goto(tab.href)
    for (const name of Object.keys(wanted)) {
      if (!list[name] || names.length && !names.includes(name)) continue
      await list[name]()
      await take(page, name)
    }
    await page.context().clearCookies()
    await page.goto(broker.url + '/login')
    await take(page, 'sign-in')
    it.stop()
  } finally { await broker.stop() }
}

/** The pages of a broker with several people. */
async function ofSeveral() {
  const accounts = await startOpenID({ sub: 'bea', email: 'bea@example.com' })
  const broker = await startBroker(provider, accounts.env)
  try {
    await company(broker, () => openPage(browser), new URL(accounts.origin).host, take)
  } finally {
    await broker.stop()
    accounts.stop()
  }
}

try {
  if (asked(wanted)) await ofOne()
  if (asked(several)) await ofSeveral()
} finally {
  await browser.close()
  provider.stop()
}
console.log(`${all} bytes in all, at most ${most.all}`)
process.exit(wrong || all > most.all ? 1 : 0)
