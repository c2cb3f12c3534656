import assert from 'node:assert/strict';
import { ApiError, GoogleGenAI } from '@google/genai';
import { ada, at30, caught, clock, clockSchema, embedder, listed, personSchema, said, saidBeforeTheError, show, weather, weatherSchema, withKey } from './lab.mjs';

// This SDK calls the global fetch, so what it sends is counted there, by its key.
const sent = new Map();
const original = globalThis.fetch;
globalThis.fetch = (url, init) => {
  const key = new Headers(init?.headers).get('x-goog-api-key');
  sent.set(key, (sent.get(key) ?? 0) + 1);
  return original(url, init);
};

const client = (c, o = {}) => new GoogleGenAI({ apiKey: c.key, vertexai: false, httpOptions: { baseUrl: c.base + '/google', ...o } });

const chat = (c, config = {}, more = []) => ({
  model: c.model, contents: [{ role: 'user', parts: [{ text: c.mark }] }, ...more], config: { systemInstruction: 'Be short.', maxOutputTokens: 500, temperature: 0.5, ...config },
});

const tools = (...fs) => [{ functionDeclarations: fs.map(([name, parametersJsonSchema]) => ({ name, description: 'tells the ' + name, parametersJsonSchema })) }];

function is(c, got, words) {
  assert.equal(got.text, words);
  assert.equal(got.candidates[0].finishReason, 'STOP');
  assert.equal(got.modelVersion, c.model);
  assert.ok(got.usageMetadata.totalTokenCount > 0);
}

const says = async (c, ai = client(c)) => is(c, await ai.models.generateContent(chat(c)), said);

const words = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL' };

function isError(e, status) {
  assert.ok(e instanceof ApiError, `${e?.constructor?.name} ${e}`);
  assert.equal(e.status, status);
  const { error } = JSON.parse(e.message); // the SDK shows the answer as its message
  assert.equal(error.code, status);
  assert.equal(error.status, words[status] ?? error.status);
  assert.ok(error.message && error.status);
}

const fails = (status) => async (c) => isError(await caught(client(c).models.generateContent(chat(c))), status);

// read gathers a stream's text, its calls of tools and its last finish reason.
async function read(c, config = {}, seen = {}) {
  Object.assign(seen, { text: '', calls: [], finish: undefined });
  for await (const got of await client(c).models.generateContentStream(chat(c, config))) {
    seen.text += (got.candidates?.[0]?.content?.parts ?? []).map((p) => p.text ?? '').join('');
    seen.calls.push(...(got.functionCalls ?? []).map((f) => [f.name, f.args]));
    seen.finish = got.candidates?.[0]?.finishReason ?? seen.finish;
  }
  return seen;
}

show('genai-js', '@google/genai', ['google'], {
  unary: (c) => says(c),
  'sdk-key': withKey((c) => says(c)),
  stream: async (c) => assert.deepEqual(await read(c), { text: said, calls: [], finish: 'STOP' }),
  async tools(c) {
    const ai = client(c);
    const config = { tools: tools(['weather', weatherSchema]) };
    const got = await ai.models.generateContent(chat(c, config));
    assert.deepEqual(got.functionCalls.map((f) => [f.name, f.args]), [['weather', weather]]);
    const more = [got.candidates[0].content, { role: 'user', parts: [{ functionResponse: { name: 'weather', response: { output: '21 degrees' } } }] }];
    assert.equal((await ai.models.generateContent(chat(c, config, more))).text, 'It is mild.');
  },
  'stream-tools': async (c) => {
    const got = await read(c, { tools: tools(['weather', weatherSchema], ['clock', clockSchema]) });
    assert.deepEqual([got.text, got.calls], ['Let me see.', [['weather', weather], ['clock', clock]]]);
  },
  async structured(c) {
    const got = await client(c).models.generateContent(chat(c, { responseMimeType: 'application/json', responseJsonSchema: personSchema }));
    assert.deepEqual(JSON.parse(got.text), ada);
  },
  async 'images-in'(c) {
    const ask = chat(c);
    ask.contents[0].parts.push({ inlineData: { mimeType: 'image/png', data: c.picture } });
    is(c, await client(c).models.generateContent(ask), said);
  },
  async embeddings(c) {
    const got = await client(c).models.embedContent({ model: embedder.google, contents: [c.mark, 'second'] });
    assert.equal(got.embeddings.length, 2);
    assert.ok(got.embeddings[0].values.length > 0);
  },
  async models(c) {
    const names = [];
    for await (const m of await client(c).models.list()) names.push(m.name.replace('models/', ''));
    listed(names, c.target, c.model);
    assert.equal((await client(c).models.get({ model: c.model })).name, 'models/' + c.model);
  },
  'count-tokens': async (c) => assert.ok((await client(c).models.countTokens({ model: c.model, contents: c.mark })).totalTokens > 0),
  'error-400': fails(400),
  'error-403': fails(403),
  'error-404': fails(404),
  'error-409': fails(409),
  'error-422': fails(422),
  'error-429': fails(429),
  'error-500': fails(500),
  'error-529': fails(529),
  'error-refused': async (c) => isError(await caught(client(c).models.generateContent({ ...chat(c), model: 'no-such-model' })), 400),
  async 'error-401'(c) {
    const key = 'AIza-of-somebody-else-' + c.mark;
    isError(await caught(client({ ...c, key }).models.generateContent(chat(c))), 401);
    assert.equal(sent.get(key), 1);
  },
  async 'error-rate'(c) {
    await says(c);
    isError(await caught(client(c).models.generateContent(chat(c))), 429);
  },
  async 'error-spent'(c) {
    await says(c);
    isError(await caught(client(c).models.generateContent(chat(c))), 429);
    assert.equal(sent.get(c.key), 2);
  },
  async retry(c) {
    await says(c, client(c, { retryOptions: { attempts: 3, initialDelay: 0.01 } })); // it tries again only where it is told to
    assert.equal(sent.get(c.key), 2);
  },
  async 'mid-stream-error'(c) {
    const seen = {};
    await caught(read(c, {}, seen));
    assert.deepEqual(seen, { text: saidBeforeTheError, calls: [], finish: undefined });
  },
  async revoked(c) {
    const seen = {};
    const e = await caught(read(c, {}, seen));
    assert.ok(e instanceof ApiError, `${e?.constructor?.name} ${e}`);
    assert.equal(seen.finish, undefined);
  },
  async abort(c) {
    const leave = new AbortController();
    const e = await caught((async () => {
      for await (const got of await client(c).models.generateContentStream(chat(c, { abortSignal: leave.signal }))) if (got.text) leave.abort();
    })());
    assert.ok(leave.signal.aborted && /abort/i.test(`${e?.name} ${e}`), String(e));
  },
  parallel: (c) => at30(() => says(c)),
});
