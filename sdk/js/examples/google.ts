import { connect, restore } from '@aipassport/client'
import { GoogleGenAI } from '@google/genai'

const options = { broker: 'https://passport.example.com', appName: 'Notes', ask: { provider: 'google', models: ['gemini-2.5-flash-lite'], maxBudgetCents: 200 } }
let session = await restore(options) // on every load: goes on with what there is, or completes a redirect
document.querySelector('button')?.addEventListener('click', async () => {
  if (!session || session.ended) session = await connect(options) // a window with the consent page
  const ai = new GoogleGenAI({ apiKey: '-', httpOptions: { baseUrl: session.baseURL('google'), fetch: session.fetch } })
  const stream = await ai.models.generateContentStream({ model: 'gemini-2.5-flash-lite', contents: 'Hello', config: { maxOutputTokens: 300 } })
  for await (const part of stream) document.body.append(part.text ?? '')
})
