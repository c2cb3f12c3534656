import { connect, restore } from '@aipassport/client'
import OpenAI from 'openai'

const options = { broker: 'https://passport.example.com', appName: 'Notes', ask: { provider: 'openai', models: ['gpt-4o-mini'], maxBudgetCents: 200 } }
let session = await restore(options) // on every load: goes on with what there is, or completes a redirect
document.querySelector('button')?.addEventListener('click', async () => {
  if (!session || session.ended) session = await connect(options) // a window with the consent page
  const ai = new OpenAI({ apiKey: '-', baseURL: session.baseURL('openai'), fetch: session.fetch, dangerouslyAllowBrowser: true })
  const stream = await ai.chat.completions.create({ model: 'gpt-4o-mini', max_completion_tokens: 300, stream: true, messages: [{ role: 'user', content: 'Hello' }] })
  for await (const part of stream) document.body.append(part.choices[0]?.delta.content ?? '')
})
