// The consent page by keys alone and without scripts, and what of its rules only a browser can see. One broker, in this order.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, openPage, startBroker, startProvider, until } from './harness.mjs'
import { addKey, hostile, setUp } from './scenes.mjs'

let provider, broker, browser, page

before(async () => {
  provider = await startProvider()
  broker = await startBroker(provider)
  browser = await launch()
  page = await openPage(browser)
  await setUp(broker, page)
  await addKey(broker, page, 'openai', 'personal')
})

after(async () => {
  await browser?.close()
  await broker?.stop()
  provider?.stop()
})

const quiet = p => assert.deepEqual(p.complaints.splice(0), [], 'the console is quiet')
const grant = async id => (await broker.owner('GET', `/grants/${id}`)).body
const given = g => ({ models: g.scope.models, capabilities: g.scope.capabilities, cents: g.scope.maxBudgetCents, calls: g.scope.maxRequests, rate: g.scope.rateLimit })
/** Hours from its approval to its end, to the minute. */
const hours = g => Math.round((Date.parse(g.expiresAt) - Date.now()) / 60_000) / 60
const approveButton = p => p.getByRole('button', { name: /^Approve/ })
const denyButton = p => p.getByRole('button', { name: /^Deny\b.*give nothing/s })

/** What has the focus: its role and its words. */
const focused = () => page.evaluate(() => {
  const e = document.activeElement, label = e.labels?.[0]?.innerText || e.innerText || e.querySelector('[aria-label]')?.getAttribute('aria-label') || ''
  const box = e.getBoundingClientRect(), ring = getComputedStyle(e.matches('.pills input') ? e.nextElementSibling : e)
  const over = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
  return { kind: e.type || e.tagName.toLowerCase(), text: label.trim().split('\n')[0], ring: ring.outlineStyle, seen: !!over && (e === over || e.contains(over) || !!e.closest('label, .skip')?.contains(over)) }
})

/** Presses Tab until `text` has the focus, and returns what was passed. */
async function tabTo(text) {
  const passed = []
  for (;;) {
    await page.keyboard.press('Tab')
    const at = await focused()
    passed.push(`${at.kind} ${at.text}`.trim())
    assert.equal(at.ring, 'solid', `${at.text} shows that it has the focus`)
    assert.ok(at.seen, `${at.text} is on the screen and nothing lies over it`)
    if (at.text.startsWith(text)) return passed
    assert.ok(passed.length < 30, `${text} is reached by Tab, not only ${passed}`)
  }
}

test('keys alone narrow and approve, and the way is short', async () => {
  const asked = await broker.ask()
  await page.goto(asked.consent)
  const way = [
    ...await tabTo('gpt-4o'), ...await tabTo('gpt-4o'),
  ]
  await page.keyboard.press('Space') // gpt-4o is not given
  way.push(...await tabTo('Money'))
  await page.keyboard.type('0.40') // Tab has selected what stood there
  way.push(...await tabTo('Calls and speed'))
  await page.keyboard.press('Enter')
  const inside = await tabTo('Speed')
  await page.keyboard.type('5')
  way.push(...await tabTo('1 day'))
  await page.keyboard.press('ArrowLeft') // an hour
  way.push(...await tabTo('I started this myself'))
  await page.keyboard.press('Space')
  way.push(...await tabTo('Deny'))
  await until('the button is there', () => approveButton(page).isVisible())
  way.push(...await tabTo('Approve'))
  assert.deepEqual(inside, ['number Calls', 'number Speed'], 'folded calls and speed are no stops until they are opened')
  assert.deepEqual(way, [
    'a Skip to the content', 'a AIPassport', 'submit Sign out', 'submit Deny now', 'checkbox Ask and answer', 'checkbox Make pictures', 'checkbox gpt-4o-mini',
    'checkbox gpt-4o', 'number Money', 'checkbox Shorter answers when the money runs low', 'summary Calls and speed: 200 calls, 60 a minute', 'radio 1 day',
    'checkbox I started this myself, just now, and I know who runs the app.', 'submit Deny', 'submit Approve',
  ])
  await page.keyboard.press('Enter')
  await page.getByText('You gave up to $0.40').waitFor()
  const g = await grant(asked.id)
  assert.deepEqual(given(g), { models: ['gpt-4o-mini'], capabilities: ['chat'], cents: 40, calls: 200, rate: 5 })
  assert.equal(hours(g), 1)
  quiet(page)
})

test('keys alone deny, from the warning', async () => {
  const asked = await broker.ask()
  await page.goto(asked.consent)
  await tabTo('Deny now')
  await page.keyboard.press('Enter')
  await page.getByText('Denied. Nothing was given').waitFor()
  assert.equal((await grant(asked.id)).status, 'denied')
  quiet(page)
})

test('Enter in a field, too much money and a page left alone never approve', async () => {
  const asked = await broker.ask()
  await page.goto(asked.consent)
  const money = page.getByRole('spinbutton', { name: 'Money', exact: true })
  await money.fill('99')
  await money.press('Enter')
  assert.equal(await money.inputValue(), '0.80', 'no more than was asked')
  assert.equal((await grant(asked.id)).status, 'pending')
  const approve = page.locator('button[value=approve]'), wait = () => approve.evaluate(e => e.getAnimations().length)
  await page.getByLabel(/I started this myself/).check()
  await page.reload()
  assert.equal(await approve.isVisible(), false, 'the button is not there when the page is new')
  assert.equal(await page.getByLabel(/I started this myself/).isChecked(), false, 'a reload ticks nothing')
  await approve.evaluate(e => e.getAnimations().forEach(a => a.finish()))
  assert.equal(await approve.isVisible(), true)
  await page.evaluate(() => dispatchEvent(new Event('focus')))
  assert.equal(await approve.isVisible(), false, 'nor when the window comes back')
  assert.equal(await wait(), 1)
  quiet(page)
})

test('without scripts all of it can be narrowed, approved and denied', async () => {
  const plain = await openPage(browser, { javaScriptEnabled: false, storageState: await page.context().storageState() })
  const asked = await broker.ask()
  await plain.goto(asked.consent)
  const shown = Date.now()
  assert.equal(await approveButton(plain).isVisible(), false, 'the button waits without scripts too')
  assert.equal(await plain.locator('input[type=range], button[data-by]:visible').count(), 0, 'nothing is shown that needs scripts')
  await plain.getByLabel(/^gpt-4o\b(?!-)/).uncheck()
  await plain.getByLabel(/Make pictures/).check()
  await plain.getByRole('spinbutton', { name: 'Money', exact: true }).fill('0.35')
  await plain.getByText('Calls and speed').click()
  await plain.getByRole('spinbutton', { name: 'Calls' }).fill('40')
  await plain.getByRole('spinbutton', { name: 'Speed' }).fill('7')
  await plain.getByRole('radio', { name: '7 days' }).check()
  await plain.getByRole('button', { name: 'Update the summary' }).click()
  const card = plain.getByRole('complementary', { name: 'Your decision' })
  for (const fact of ['$0.35', '2 of 2 asked', '40', '7 a minute', 'All 40 calls with gpt-4o-mini.', 'OpenAI, personal']) {
    assert.ok((await card.innerText()).includes(fact), `the summary says ${fact}`)
  }
  await plain.getByLabel(/I started this myself/).check()
  await plain.waitForTimeout(Math.max(0, 3100 - (Date.now() - shown))) // nobody reads faster, and the broker measures it
  await approveButton(plain).click()
  await plain.getByText('You gave up to $0.35').waitFor()
  const g = await grant(asked.id)
  assert.deepEqual(given(g), { models: ['gpt-4o-mini'], capabilities: ['chat', 'images'], cents: 35, calls: 40, rate: 7 })
  assert.equal(hours(g), 7 * 24)

  const other = await broker.ask()
  await plain.goto(other.consent)
  await denyButton(plain).click()
  await plain.getByText('Denied. Nothing was given').waitFor()
  assert.equal((await grant(other.id)).status, 'denied')
  quiet(plain)
  await plain.context().close()
})

test('where the access goes is larger than what the app calls itself, and no is as large as yes', async () => {
  const asked = []
  page.on('request', r => asked.push(r))
  await page.goto((await broker.ask()).consent)
  const kinds = asked.map(r => new URL(r.url()).pathname.replace(/\.[0-9a-f]{12}\./, '.')).filter(p => !p.endsWith('.svg'))
  assert.deepEqual(kinds.map(p => p.replace(/^\/consent\/.*/, '/consent')), ['/consent', '/static/app.css', '/static/app.js'], 'three files and an icon')
  assert.deepEqual(asked.filter(r => new URL(r.url()).origin !== broker.url), [], 'and none from elsewhere')
  await page.goto((await broker.ask(hostile)).consent)
  for (const width of [1280, 1000, 768, 360, 320]) {
    await page.setViewportSize({ width, height: 900 })
    const look = await page.evaluate(() => {
      const size = q => parseFloat(getComputedStyle(document.querySelector(q)).fontSize), box = e => e.getBoundingClientRect()
      const [deny, approve] = [...document.querySelectorAll('.choice button')].map(box), aside = box(document.querySelector('aside'))
      return {
        heading: size('h1'), claim: size('h1 + p'), deny: [deny.width, deny.height], approve: [approve.width, approve.height], first: deny.y < approve.y || (deny.y === approve.y && deny.x < approve.x),
        beside: aside.x > box(document.querySelector('h1')).right - 1, wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      }
    })
    assert.ok(look.heading >= 1.7 * look.claim, `${width}: our heading has ${look.heading} px, the claim ${look.claim} px`)
    assert.deepEqual(look.deny, look.approve, `${width}: the buttons are of one size`)
    assert.ok(look.first, `${width}: no comes first`)
    assert.equal(look.beside, width >= 992, `${width}: the decision is beside the page where there is room`)
    assert.ok(look.wide <= 0, `${width}: it scrolls sideways by ${look.wide} px`)
  }
  const text = await page.locator('main').innerText()
  assert.ok(!/[\u202A-\u202E\u2066-\u2069\u200B]/.test(text) && text.includes('xn--penai-iye.com') && text.includes('not that site'), 'the hostile request is spelled out and named')
  assert.equal(await page.locator('main img, main script, main a[href^=http]').count(), 0, 'and nothing of it is alive')
  quiet(page)
})
