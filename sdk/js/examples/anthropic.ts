import { connect, restore } from '@aipassport/client'
import Anthropic from '@anthropic-ai/sdk'

const options = { broker: 'https://passport.example.com', appName: 'Notes', ask: { provider: 'anthropic', models: ['claude-haiku-4-5'], maxBudgetCents: 200 } }
let session = await restore(options) // on every load: goes on with what there is, or completes a redirect
document.querySelector('button')?.addEventListener('click', async () => {
  if (!session || session.ended) session = await connect(options) // a window with the consent page
  const ai = new Anthropic({ apiKey: '-', baseURL: session.baseURL('anthropic'), fetch: session.fetch, dangerouslyAllowBrowser: true })
  const stream = ai.messages.stream({ model: 'claude-haiku-4-5', max_tokens: 300, messages: [{ role: 'user', content: 'Hello' }] })
  await stream.on('text', (text) => document.body.append(text)).done()
})
