import assert from 'node:assert/strict';
import Anthropic, { APIError, APIUserAbortError, AuthenticationError, BadRequestError, ConflictError, InternalServerError, NotFoundError, PermissionDeniedError, RateLimitError, UnprocessableEntityError } from '@anthropic-ai/sdk';
import { ada, at30, caught, clock, clockSchema, every, listed, noSuchModel, personSchema, said, saidBeforeTheError, show, weather, weatherSchema, withKey } from './lab.mjs';

const client = (c, o = {}) => new Anthropic({ baseURL: c.base + '/anthropic', apiKey: c.key, fetch: c.fetch, ...o });

const chat = (c, more = {}) => ({ model: c.model, max_tokens: 500, temperature: 0.5, system: 'Be short.', messages: [{ role: 'user', content: c.mark }], ...more });

const tool = (name, input_schema) => ({ name, description: 'tells the ' + name, input_schema });
const text = (m) => m.content.filter((b) => b.type === 'text').map((b) => b.text).join('');
const calls = (m) => m.content.filter((b) => b.type === 'tool_use').map((b) => [b.name, b.input]);

function is(c, m, words) {
  assert.equal(text(m), words);
  assert.equal(m.stop_reason, 'end_turn');
  assert.equal(m.model, c.model);
  assert.equal(m.role, 'assistant');
  assert.ok(m.id && m.usage.input_tokens > 0 && m.usage.output_tokens > 0);
}

const says = async (c, ai) => is(c, await ai.messages.create(chat(c)), said);

const types = { 400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error', 429: 'rate_limit_error', 500: 'api_error', 529: 'overloaded_error' };

function isError(e, status, Class) {
  assert.ok(e instanceof Class, `${e?.constructor?.name} ${e}`);
  assert.equal(e.status, status);
  assert.equal(e.error.type, 'error');
  assert.equal(e.error.error.type, types[status] ?? e.error.error.type);
  assert.ok(e.error.error.type && e.error.error.message && e.requestID, JSON.stringify(e.error));
  return e;
}

const fails = (status, Class) => async (c) => isError(await caught(client(c, { maxRetries: 0 }).messages.create(chat(c))), status, Class);

show('anthropic-js', '@anthropic-ai/sdk', every, {
  unary: (c) => says(c, client(c)),
  'sdk-key': withKey((c) => says(c, client(c))),
  stream: async (c) => is(c, await client(c).messages.stream(chat(c)).finalMessage(), said),
  async tools(c) {
    const ai = client(c);
    const tools = [tool('weather', weatherSchema)];
    const got = await ai.messages.create(chat(c, { tools }));
    assert.equal(got.stop_reason, 'tool_use');
    assert.deepEqual(calls(got), [['weather', weather]]);
    const id = got.content.find((b) => b.type === 'tool_use').id;
    const messages = [...chat(c).messages, { role: 'assistant', content: got.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: '21 degrees' }] }];
    assert.equal(text(await ai.messages.create(chat(c, { tools, messages }))), 'It is mild.');
  },
  async 'stream-tools'(c) {
    const got = await client(c).messages.stream(chat(c, { tools: [tool('weather', weatherSchema), tool('clock', clockSchema)] })).finalMessage();
    assert.equal(text(got), 'Let me see.');
    assert.equal(got.stop_reason, 'tool_use');
    assert.deepEqual(calls(got), [['weather', weather], ['clock', clock]]);
    assert.equal(new Set(got.content.filter((b) => b.type === 'tool_use').map((b) => b.id)).size, 2);
  },
  async structured(c) {
    const got = await client(c).messages.create(chat(c, { output_config: { format: { type: 'json_schema', schema: personSchema } } }));
    assert.deepEqual(JSON.parse(text(got)), ada);
    assert.equal(got.stop_reason, 'end_turn');
  },
  async 'images-in'(c) {
    const content = [{ type: 'text', text: c.mark }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: c.picture } }];
    is(c, await client(c).messages.create(chat(c, { messages: [{ role: 'user', content }] })), said);
  },
  async models(c) {
    const ids = [];
    for await (const m of client(c).models.list({ limit: 2 })) ids.push(m.id);
    listed(ids, c.target, c.model);
    assert.equal((await client(c).models.retrieve(c.model)).id, c.model);
  },
  async 'count-tokens'(c) {
    const { model, messages } = chat(c);
    assert.ok((await client(c).messages.countTokens({ model, messages })).input_tokens > 0);
  },
  'error-400': fails(400, BadRequestError),
  'error-403': fails(403, PermissionDeniedError),
  'error-404': fails(404, NotFoundError),
  'error-409': fails(409, ConflictError),
  'error-422': fails(422, UnprocessableEntityError),
  'error-429': fails(429, RateLimitError),
  'error-500': fails(500, InternalServerError),
  'error-529': fails(529, InternalServerError),
  'error-refused': async (c) => isError(await caught(client(c).messages.create(chat(c, { model: noSuchModel(c, 'anthropic') }))), 400, BadRequestError),
  async 'error-401'(c) {
    isError(await caught(client(c, { apiKey: 'sk-ant-of-somebody-else' }).messages.create(chat(c))), 401, AuthenticationError);
    assert.equal(c.sent, 1);
  },
  async 'error-rate'(c) {
    const ai = client(c, { maxRetries: 0 });
    await says(c, ai);
    const e = isError(await caught(ai.messages.create(chat(c))), 429, RateLimitError);
    assert.ok(e.headers.get('retry-after'));
  },
  async 'error-spent'(c) {
    await says(c, client(c));
    isError(await caught(client(c).messages.create(chat(c))), 429, RateLimitError);
    assert.equal(c.sent, 2);
  },
  async retry(c) {
    await says(c, client(c));
    assert.equal(c.sent, 2);
  },
  async 'mid-stream-error'(c) {
    let words = '', stop = null;
    const e = await caught((async () => {
      for await (const ev of await client(c).messages.create(chat(c, { stream: true }))) {
        if (ev.type === 'content_block_delta') words += ev.delta.text;
        if (ev.type === 'message_delta') stop = ev.delta.stop_reason;
      }
    })());
    assert.ok(e instanceof APIError, `${e?.constructor?.name} ${e}`);
    assert.equal(words, saidBeforeTheError);
    assert.equal(stop, null);
  },
  async revoked(c) {
    const e = await caught(client(c).messages.stream(chat(c)).finalMessage());
    assert.ok(e instanceof APIError && !(e instanceof APIUserAbortError), `${e?.constructor?.name} ${e}`);
  },
  async abort(c) {
    const stream = client(c).messages.stream(chat(c));
    stream.on('text', () => stream.abort());
    assert.ok((await caught(stream.done())) instanceof APIUserAbortError);
  },
  parallel: (c) => at30(() => says(c, client(c))),
});
