import assert from 'node:assert/strict';
import OpenAI, { toFile, APIError, APIUserAbortError, AuthenticationError, BadRequestError, ConflictError, InternalServerError, NotFoundError, PermissionDeniedError, RateLimitError, UnprocessableEntityError } from 'openai';
import { ada, at30, caught, clock, clockSchema, embedder, every, listed, noSuchModel, personSchema, said, saidBeforeTheError, show, weather, weatherSchema, withKey } from './lab.mjs';

const client = (c, o = {}) => new OpenAI({ baseURL: c.base + '/v1', apiKey: c.key, fetch: c.fetch, ...o });

const chat = (c, more = {}) => ({
  model: c.model, max_completion_tokens: 500, temperature: 0.5, messages: [{ role: 'system', content: 'Be short.' }, { role: 'user', content: c.mark }], ...more,
});

const tool = (name, parameters) => ({ type: 'function', function: { name, description: 'tells the ' + name, parameters } });

async function says(c, ai) {
  const got = await ai.chat.completions.create(chat(c));
  assert.equal(got.choices.length, 1);
  assert.equal(got.choices[0].message.content, said);
  assert.equal(got.choices[0].finish_reason, 'stop');
  assert.equal(got.model, c.model);
  assert.ok(got.id && got.usage.prompt_tokens > 0 && got.usage.completion_tokens > 0);
  assert.equal(got.usage.total_tokens, got.usage.prompt_tokens + got.usage.completion_tokens);
}

const fails = (status, Class) => async (c) => isError(await caught(client(c, { maxRetries: 0 }).chat.completions.create(chat(c))), status, Class);

function isError(e, status, Class) {
  assert.ok(e instanceof Class, `${e?.constructor?.name} ${e}`);
  assert.ok(e instanceof APIError);
  assert.equal(e.status, status);
  assert.ok(e.message && e.type && e.requestID, `message ${e.message}, type ${e.type}, request id ${e.requestID}`);
  return e;
}

show('openai-js', 'openai', every, {
  unary: (c) => says(c, client(c)),
  'sdk-key': withKey((c) => says(c, client(c))),
  async stream(c) {
    const stream = client(c).chat.completions.stream(chat(c, { stream_options: { include_usage: true } }));
    const got = await stream.finalChatCompletion();
    assert.equal(got.choices[0].message.content, said);
    assert.equal(got.choices[0].finish_reason, 'stop');
    assert.ok((await stream.totalUsage()).total_tokens > 0);
  },
  async tools(c) {
    const ai = client(c);
    const tools = [tool('weather', weatherSchema)];
    const got = await ai.chat.completions.create(chat(c, { tools }));
    const { message, finish_reason } = got.choices[0];
    assert.equal(finish_reason, 'tool_calls');
    assert.deepEqual(message.tool_calls.map((t) => [t.function.name, JSON.parse(t.function.arguments)]), [['weather', weather]]);
    const messages = [...chat(c).messages, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: '21 degrees' }];
    const then = await ai.chat.completions.create(chat(c, { tools, messages }));
    assert.equal(then.choices[0].message.content, 'It is mild.');
  },
  async 'stream-tools'(c) {
    const got = await client(c).chat.completions.stream(chat(c, { tools: [tool('weather', weatherSchema), tool('clock', clockSchema)] })).finalChatCompletion();
    const { message, finish_reason } = got.choices[0];
    assert.equal(message.content, 'Let me see.');
    assert.equal(finish_reason, 'tool_calls');
    assert.deepEqual(message.tool_calls.map((t) => [t.function.name, JSON.parse(t.function.arguments)]), [['weather', weather], ['clock', clock]]);
    assert.notEqual(message.tool_calls[0].id, message.tool_calls[1].id);
  },
  async structured(c) {
    const got = await client(c).chat.completions.parse(chat(c, { response_format: { type: 'json_schema', json_schema: { name: 'person', strict: true, schema: personSchema } } }));
    assert.deepEqual(JSON.parse(got.choices[0].message.content), ada);
    assert.equal(got.choices[0].finish_reason, 'stop');
  },
  async 'images-in'(c) {
    const content = [{ type: 'text', text: c.mark }, { type: 'image_url', image_url: { url: 'data:image/png;base64,' + c.picture } }];
    const got = await client(c).chat.completions.create(chat(c, { messages: [{ role: 'user', content }] }));
    assert.equal(got.choices[0].message.content, said);
  },
  async embeddings(c) {
    const got = await client(c).embeddings.create({ model: embedder[c.target], input: [c.mark, 'second'] }); // the SDK asks for base64 by itself
    assert.equal(got.data.length, 2);
    assert.ok(got.data[0].embedding.length > 0 && got.data[0].embedding.every(Number.isFinite), JSON.stringify(got).slice(0, 300));
    assert.equal(got.data[1].index, 1);
    assert.ok(got.usage.prompt_tokens > 0);
  },
  async 'image-generation'(c) {
    const got = await client(c).images.generate({ model: 'gpt-image-1', prompt: c.mark, size: '1024x1024', quality: 'low' });
    assert.equal(got.data.length, 1);
    assert.ok(got.data[0].b64_json);
  },
  async speech(c) {
    const got = await client(c).audio.speech.create({ model: 'tts-1', voice: 'alloy', input: c.mark });
    assert.equal(got.headers.get('content-type'), 'audio/mpeg');
    const heard = Buffer.from(await got.arrayBuffer()).toString('latin1');
    assert.ok(heard.startsWith('ID3') && heard.endsWith(said), heard);
  },
  async transcription(c) {
    const file = await toFile(c.sound, 'name-of-a-file.wav');
    assert.equal((await client(c).audio.transcriptions.create({ model: 'whisper-1', prompt: c.mark, file })).text, said);
  },
  async responses(c) {
    const got = await client(c).responses.create({ model: c.model, max_output_tokens: 500, input: c.mark });
    assert.equal(got.output_text, said);
    assert.equal(got.status, 'completed');
    assert.ok(got.usage.total_tokens > 0);
  },
  async 'stream-responses'(c) {
    const got = await client(c).responses.stream({ model: c.model, max_output_tokens: 500, input: c.mark }).finalResponse();
    assert.equal(got.output_text, said);
    assert.equal(got.status, 'completed');
  },
  async 'responses-tools'(c) {
    const ai = client(c);
    const ask = { model: c.model, max_output_tokens: 500, store: false, tools: [{ type: 'function', name: 'weather', parameters: weatherSchema, strict: false }] };
    const input = [{ role: 'user', content: c.mark }];
    const got = await ai.responses.create({ ...ask, input });
    const [before, call] = got.output;
    assert.equal(got.output_text, 'Let me see.');
    assert.deepEqual([before.type, call.type, call.name, JSON.parse(call.arguments)], ['message', 'function_call', 'weather', weather]);
    const result = { type: 'function_call_output', call_id: call.call_id, output: '21 degrees' };
    assert.equal((await ai.responses.create({ ...ask, input: [...input, ...got.output, result] })).output_text, 'It is mild.');
  },
  async 'responses-structured'(c) {
    const text = { format: { type: 'json_schema', name: 'person', strict: true, schema: personSchema } };
    const got = await client(c).responses.parse({ model: c.model, max_output_tokens: 500, input: c.mark, text });
    assert.deepEqual(got.output_parsed, ada);
    assert.equal(got.status, 'completed');
  },
  async models(c) {
    const ids = [];
    for await (const m of client(c).models.list()) ids.push(m.id);
    listed(ids, c.target, c.model);
    assert.equal((await client(c).models.retrieve(c.model)).id, c.model);
  },
  'error-400': fails(400, BadRequestError),
  'error-403': fails(403, PermissionDeniedError),
  'error-404': fails(404, NotFoundError),
  'error-409': fails(409, ConflictError),
  'error-422': fails(422, UnprocessableEntityError),
  'error-429': fails(429, RateLimitError),
  'error-500': fails(500, InternalServerError),
  'error-529': (c) => fails(c.target === 'openai' ? 529 : 503, InternalServerError)(c) /* OpenAI's own word is 503 */,
  async 'error-refused'(c) {
    const e = isError(await caught(client(c).chat.completions.create(chat(c, { model: noSuchModel(c, 'openai') }))), 400, BadRequestError);
    assert.equal(e.param, 'model');
  },
  async 'error-401'(c) {
    isError(await caught(client(c, { apiKey: 'sk-of-somebody-else' }).chat.completions.create(chat(c))), 401, AuthenticationError);
    assert.equal(c.sent, 1);
  },
  async 'error-rate'(c) {
    const ai = client(c, { maxRetries: 0 });
    await says(c, ai);
    const e = isError(await caught(ai.chat.completions.create(chat(c))), 429, RateLimitError);
    assert.equal(e.code, 'rate_limit_exceeded');
    assert.ok(e.headers.get('retry-after'));
  },
  async 'error-spent'(c) {
    await says(c, client(c));
    const e = isError(await caught(client(c).chat.completions.create(chat(c))), 429, RateLimitError);
    assert.equal(e.code, 'insufficient_quota');
    assert.equal(c.sent, 2);
  },
  async retry(c) {
    await says(c, client(c));
    assert.equal(c.sent, 2);
  },
  async 'mid-stream-error'(c) {
    let text = '', finish = null;
    const e = await caught((async () => {
      for await (const chunk of await client(c).chat.completions.create(chat(c, { stream: true }))) {
        text += chunk.choices[0]?.delta.content ?? '';
        finish ??= chunk.choices[0]?.finish_reason;
      }
    })());
    assert.ok(e instanceof APIError, `${e?.constructor?.name} ${e}`);
    assert.equal(text, saidBeforeTheError);
    assert.equal(finish, null);
  },
  async revoked(c) {
    const e = await caught(client(c).chat.completions.stream(chat(c)).finalChatCompletion());
    assert.ok(e instanceof APIError && !(e instanceof APIUserAbortError), `${e?.constructor?.name} ${e}`);
  },
  async abort(c) {
    const leave = new AbortController();
    const stream = client(c).chat.completions.stream(chat(c), { signal: leave.signal });
    stream.on('content', () => leave.abort());
    assert.ok((await caught(stream.done())) instanceof APIUserAbortError);
  },
  parallel: (c) => at30(() => says(c, client(c))),
});
